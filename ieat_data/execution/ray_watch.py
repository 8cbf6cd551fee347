"""Is Ray itself still there? Ray's own answer comes after a minute, and ends the driver in the middle of a word."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

from ieat_data import processes
from ieat_data.errors import BuildStopped

_SERVERS = ("gcs_server", "raylet")
_EVERY_S = 5.0  # between looks at the head of a cluster
_PATIENCE_S = 40.0  # with a head that does not answer; Ray would end the driver after 60


class Watch:
    """Watches the node that this driver started, or the head of the cluster that it joined."""

    def __init__(self, ray: Any, joined: bool) -> None:
        self._head = str(ray.get_runtime_context().gcs_address) if joined else ""
        self._servers = {} if joined else {pid: name for pid in processes.own() if (name := _name(pid)) in _SERVERS}
        self._looked = self._answered = time.monotonic()

    def check(self) -> None:
        """Stop if Ray is gone.

        Raises:
            BuildStopped: in one line, with what to do.
        """
        if what := self.lost():
            raise BuildStopped(f"Ray is gone: {what}. Everything committed stays: run the same command again")

    def lost(self) -> str:
        """Return what is gone; empty while all is there."""
        for pid, name in self._servers.items():
            if not processes.running(pid):
                return f"its process {name} ended (out of memory, or killed?)"
        now = time.monotonic()
        if self._head and now - self._looked > _EVERY_S:
            self._looked = now
            if _answers(self._head):
                self._answered = time.monotonic()
        silent_s = self._looked - self._answered
        return f"its head {self._head} has not answered for {silent_s:.0f} s" if silent_s > _PATIENCE_S else ""


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_EVERY_S).close()
    except OSError:
        return False
    return True


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
