"""Faults of a disk and of a clock, in all processes of a build at once: the shared numbers of `shim.c`."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

_WRITES, _FIRST, _LAST, _ACTION, _ERRNO, _STRUCK, _SHIFT_S, _READS, _PUBLISHED, _FIELDS = range(10)
_NOTHING, _FAIL, _DIE, _TEAR, _FAIL_READ = range(5)
NAMES = {errno.ENOSPC: "ENOSPC", errno.EIO: "EIO"}


def compiler() -> str | None:
    """Return the system's C compiler, if there is one."""
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


class Shim:
    """Counts the writes below `root`, and disturbs those that it is told to, in every process with `environment`."""

    def __init__(self, folder: Path, root: Path) -> None:
        made = compiler()
        assert made is not None, "faults of a disk need a C compiler (cc)"
        self._library, self._file, self._root = folder / "shim.so", folder / "control", root
        source = Path(__file__).with_name("shim.c")
        subprocess.run([made, "-O2", "-shared", "-fPIC", "-o", self._library, source, "-ldl"], check=True)
        self._file.write_bytes(bytes(8 * _FIELDS))
        with self._file.open("r+b") as f:
            self._numbers = mmap.mmap(f.fileno(), 0)

    def environment(self, skew_s: int = 0) -> dict[str, str]:
        """Return what a process needs to be disturbed; its clock is `skew_s` ahead."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAULT_SHIM_CONTROL": str(self._file),
            "FAULT_SHIM_ROOT": os.path.realpath(self._root),
            "FAULT_SHIM_SKEW": str(skew_s),
        }

    @property
    def writes(self) -> int:
        return self._get(_WRITES)

    @property
    def struck(self) -> int:
        """How many calls have been disturbed since the shim was armed."""
        return self._get(_STRUCK)

    def fail(self, after: int, calls: int, error: int) -> None:
        """Let `calls` writes fail with an errno, beginning `after` writes from now."""
        self._arm(_FAIL, self.writes + after, calls, error)

    def fail_reads(self, after: int, calls: int, error: int) -> None:
        """Let `calls` reads fail with an errno."""
        self._arm(_FAIL_READ, self._get(_READS) + after, calls, error)

    def die(self, after: int, torn: bool, published: bool = False) -> None:
        """End the process that does the write `after` from now, before that write or (`torn`) in its middle.

        `published`: count only what is written outside the work folder.
        """
        self._set(_PUBLISHED, int(published))
        self._arm(_TEAR if torn else _DIE, self.writes + after, 1, 0)

    def jump(self, seconds: int) -> None:
        """Set the clocks forward, or back."""
        self._set(_SHIFT_S, seconds)

    def rest(self) -> None:
        """Disturb nothing any more."""
        for field in (_ACTION, _SHIFT_S, _PUBLISHED):
            self._set(field, 0)

    def _arm(self, action: int, first: int, calls: int, error: int) -> None:
        self._set(_ACTION, _NOTHING)
        for field, value in ((_FIRST, first), (_LAST, first + calls), (_ERRNO, error), (_STRUCK, 0)):
            self._set(field, value)
        self._set(_ACTION, action)

    def _get(self, field: int) -> int:
        return int(struct.unpack_from("q", self._numbers, 8 * field)[0])

    def _set(self, field: int, value: int) -> None:
        struct.pack_into("q", self._numbers, 8 * field, value)
