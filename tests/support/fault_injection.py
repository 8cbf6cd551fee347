"""Something that happens in the middle of a build."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

VLLM = "VLLM::EngineCore"  # what vLLM calls its process


class WhenBegun(threading.Thread):
    """Does something once the first shard of `table` is committed in the build into `out`; again until it says True."""

    def __init__(self, out: Path, table: str, do: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self.out, self.table, self.do, self.done = out, table, do, False

    def run(self) -> None:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and not self.done:
            if list(self.out.glob(f".work/tables/{self.table}-*/records/*.json")):
                self.done = self.do()
            time.sleep(0.05)


def descendants(title: str) -> list[int]:
    """The processes with this title that this one has started, by whatever way. No other process on the machine."""
    parents, titled = {}, []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name)
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if title in (folder / "cmdline").read_bytes().decode(errors="replace"):
                titled.append(pid)
    found = []
    for pid in titled:
        above = pid
        while above := parents.get(above, 0):
            if above == os.getpid():
                found.append(pid)
                break
    return found
