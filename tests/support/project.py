"""A project folder of the tests' own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ieat_data import paths


@contextlib.contextmanager
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> Iterator[None]:
    """Take `folder` for the project, whose `module` is forgotten after the block."""
    monkeypatch.setenv(paths.PROJECT_VARIABLE, str(folder))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    sys.modules.pop(module, None)
