"""A task with everything that a worker needs to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ieat_data.stages.base import Task
from ieat_data.storage.joined import Span
from ieat_data.storage.parts import Part
from ieat_data.storage.store import Store


@dataclass(frozen=True)
class Job:
    """A task with everything that a worker needs to do it."""

    task: Task
    pipeline: Mapping[str, Any]
    profile: Mapping[str, Any]
    parts: Mapping[tuple[str, str], Part]  # by table and shard
    inputs: str  # digest of the parts, for the record
    table: Store  # where the outputs go
    answers: Store
    joined: tuple[tuple[Store, Span], ...]  # earlier answers of the task that were joined to those of others
    engines: Mapping[str, Mapping[str, Any]]  # role → identity
    known: Path | None  # a recording whose answers are not requested again
    verdicts: tuple[Store, str] | None = None  # the file of what people decided, where the stage's rows depend on it
