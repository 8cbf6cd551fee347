"""A temporary folder for saved model states that is cleaned up soon, even if its process is killed."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from filelock import FileLock

_PREFIX = "ieat-llamacpp-"
_LOCK = "lock"
_MIN_AGE_S = 600


class StateFolder:
    """A folder of this process, removed with it. Creating one sweeps the folders that killed processes left behind."""

    def __init__(self) -> None:
        sweep(Path(tempfile.gettempdir()))
        self._owner = tempfile.TemporaryDirectory(prefix=_PREFIX)
        self.path = Path(self._owner.name)
        self._lock = FileLock(self.path / _LOCK)
        self._lock.acquire()


def sweep(parent: Path) -> None:
    """Remove the folders in `parent` whose process is gone: unlocked, and not created just now."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < _MIN_AGE_S:
                continue
            with FileLock(folder / _LOCK, timeout=0):
                shutil.rmtree(folder)
        except OSError:
            continue  # in use, already gone, or another user's
