"""Copies of a store's files on this machine, of a bounded size: those not used for longest go first."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock

CACHE_VARIABLE, SIZE_VARIABLE = "IEAT_STORE_CACHE", "IEAT_STORE_CACHE_GB"
_GB = 20.0  # of copies, unless IEAT_STORE_CACHE_GB says otherwise
_IN_USE_S = 600.0  # a copy used since then may be open


def cache_root() -> Path:
    """Return $IEAT_STORE_CACHE, else `ieat/stores` in the user's cache ($XDG_CACHE_HOME, else ~/.cache)."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).expanduser().absolute()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "ieat" / "stores"


class Copies:
    """The copies in a folder, by what they are copies of: files that never change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, of: str) -> Path | None:
        """Return the copy, if there is one."""
        path = self._path(of)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def get(self, of: str, fetch: Callable[[Path], None]) -> Path:
        """Return the copy; `fetch` writes it if there is none."""
        if found := self.find(of):
            return found
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path(of).with_suffix(".lock")):  # processes of this machine that want the same file
            if self.find(of) is None:
                with self.adding(of) as path:
                    fetch(path)
        return self._path(of)

    @contextlib.contextmanager
    def adding(self, of: str) -> Iterator[Path]:
        """Yield a path to write; it becomes the copy if the block does not raise."""
        self._folder.mkdir(parents=True, exist_ok=True)
        tmp = self._folder / f".{uuid.uuid4().hex}"
        try:
            yield tmp
            tmp.replace(self._path(of))
        finally:
            tmp.unlink(missing_ok=True)
        self._shrink()

    def _path(self, of: str) -> Path:
        return self._folder / hashlib.sha256(of.encode()).hexdigest()

    def _shrink(self) -> None:
        found = []
        for entry in os.scandir(self._folder):
            with contextlib.suppress(FileNotFoundError):
                found.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
        over = sum(size for _, size, _ in found) - float(os.environ.get(SIZE_VARIABLE) or _GB) * 1e9
        for used, size, path in sorted(found):
            if over <= 0 or time.time() - used < _IN_USE_S:
                return
            Path(path).unlink(missing_ok=True)
            over -= size
