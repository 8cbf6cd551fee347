"""The processes of a build, which live on when their driver is killed."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process; `started` tells it from a later one with the same number."""

    pid: int
    started: int
    title: str

    def alive(self) -> bool:
        found = _stat(self.pid)
        return found is not None and found[1] == self.started and found[2] != "Z"

    def send(self, number: int) -> bool:
        """Send a signal; return whether it was there to get it."""
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> bool:
        return self.send(signal.SIGKILL)


def below(pid: int) -> list[Process]:
    """Return the processes that `pid` has started, and those that they have."""
    children: dict[int, list[Process]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := _stat(int(name))):
            children.setdefault(found[0], []).append(Process(int(name), found[1], _title(int(name))))
    all_, todo = [], [pid]
    while todo:
        mine = children.get(todo.pop(), [])
        all_ += mine
        todo += [p.pid for p in mine]
    return all_


def _stat(pid: int) -> tuple[int, int, str] | None:
    """Return parent, time of the start and state of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[19]), fields[0]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:300]
    except OSError:
        return ""
