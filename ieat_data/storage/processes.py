"""Is a process of this machine still there? By its number and its start, because numbers are used again."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import uuid
from functools import cache
from pathlib import Path


@cache
def machine() -> str:
    """Return a name for those who see the same processes: this start of this machine, and this container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # no Linux
        boot = f"{uuid.getnode():x}"
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()} {boot} {space}".strip()


def started(pid: int) -> str | None:
    """Return when a process began, as the system writes it; "" if it does not say, None if there is no such process.

    A process that has ended and that nobody has waited for is none.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if Path("/proc/self/stat").exists() else _by_ps(pid)
    except OSError:
        return ""
    return None if state in "ZX" else fields[18]


def runs(pid: int, since: str) -> bool:
    """Whether the process `pid` that began at `since` is still there. In doubt it is."""
    now = started(pid)
    return now is not None and (not since or not now or now == since)


def _by_ps(pid: int) -> str:
    try:
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
