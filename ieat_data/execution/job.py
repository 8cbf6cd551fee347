"""A task with everything that a worker needs to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ieat_data.stages.base import Task


@dataclass(frozen=True)
class Job:
    """A task with everything that a worker needs to do it."""

    task: Task
    pipeline: Mapping[str, Any]
    profile: Mapping[str, Any]
    parts: Mapping[tuple[str, str], Path]  # (table, shard) → its file
    inputs: str  # digest of the parts, for the record
    folder: Path
    answers: Path
    engines: Mapping[str, Mapping[str, Any]]  # role → identity
    known: Path | None  # a recording whose answers are not requested again
    verdicts: Path | None = None  # what people decided, where the stage's rows depend on it
