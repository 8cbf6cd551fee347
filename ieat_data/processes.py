"""The processes that a driver starts, to the last grandchild: marked by their environment, so that none outlives it.

Ray ends what it started, but not always: a worker that was just starting waits for ever for a Ray that is gone, and a
killed engine leaves its own processes on the GPU. So everything below Ray's node carries the driver's mark. The driver
ends what is left when it ends; what a killed driver left, the next one ends. Linux only: elsewhere nothing is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

VARIABLE = "IEAT_DRIVER"  # pid:start:namespace of the driver


def mark() -> str | None:
    """Return what marks the processes of this driver; None where there is no /proc."""
    started = _started(os.getpid())
    return None if started is None else f"{os.getpid()}:{started}:{_namespace()}"


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
    return _started(pid) is not None


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
    started, _, namespace = rest.partition(":")
    # a number says nothing in another container's count of processes
    return pid.isdigit() and namespace == _namespace() and _started(int(pid)) != started


def _started(pid: int) -> str | None:
    """Return when a process started, in ticks since the machine did; None if it is gone, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


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
