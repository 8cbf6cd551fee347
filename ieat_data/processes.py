"""Processes of this machine: whether one is still there, and those that a driver starts, to the last grandchild.

The latter are marked by their environment, so that none outlives the driver.

Ray ends what it started, but not always: a worker that was just starting waits for ever for a Ray that is gone, and a
killed engine leaves its own processes on the GPU. So everything below Ray's node carries the driver's mark. The driver
ends what is left when it ends; what a killed driver left, the next one ends. Linux only: elsewhere nothing is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

VARIABLE = "IEAT_DRIVER"  # pid:start:namespace of the driver


def mark() -> str | None:
    """Return what marks the processes of this driver; None where there is no /proc."""
    since = started(os.getpid())
    return f"{os.getpid()}:{since}:{_namespace()}" if since else None


@contextlib.contextmanager
def marked() -> Iterator[None]:
    """Mark the processes that are started inside the block, and what those start."""
    own = mark()
    if own is None:
        yield
        return
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = own
    try:
        yield
    finally:
        # what the user starts later from the same process (a notebook) is the user's
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def own() -> list[int]:
    """Return the processes of this driver."""
    mine = mark()
    return [] if mine is None else _found(lambda found: found == mine)


def orphans() -> list[int]:
    """Return the processes whose driver is gone."""
    return _found(_is_orphan)


def running(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    return started(pid) is not None


def end(pids: Callable[[], list[int]], grace_s: float) -> int:
    """Wait until `pids` returns none; kill what is there after `grace_s` seconds. Return how many were killed."""
    until = time.monotonic() + grace_s
    while left := pids():
        if time.monotonic() >= until:
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            return len(left)
        time.sleep(0.1)
    return 0


def _found(wanted: Callable[[str], bool]) -> list[int]:
    found = []
    prefix = f"{VARIABLE}=".encode()
    for name in os.listdir("/proc") if Path("/proc/self/environ").exists() else []:
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it has just ended, or is another user's
            for entry in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                if entry.startswith(prefix) and wanted(entry[len(prefix) :].decode(errors="replace")):
                    found.append(int(name))
                    break
    return found


def _is_orphan(found: str) -> bool:
    pid, _, rest = found.partition(":")
    since, _, namespace = rest.partition(":")
    # a number says nothing in another container's count of processes
    return pid.isdigit() and namespace == _namespace() and not runs(int(pid), since)


def _namespace() -> str:
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return ""


def below(top: int) -> list[int]:
    """Return the descendants of a process."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if Path("/proc/self/stat").exists() else []:
        if name.isdigit():
            with contextlib.suppress(OSError):
                parent = int(Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found, todo = [], [top]
    while todo:
        found += (own := children.get(todo.pop(), []))
        todo += own
    return found


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
