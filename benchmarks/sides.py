"""Alternatives that live in processes of their own, with other interpreters if need be, and are timed round by round.

A side is a script that calls `served`: it makes itself ready, then works once for each line that it reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import ROOT, timed


class Side:
    """A running side. Called, it works once and returns its seconds."""

    def __init__(self, name: str, line: Sequence[str | Path], log: Path) -> None:
        self._name, self._log = name, log
        own = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with log.open("ab") as said:
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
            self._process = subprocess.Popen([str(x) for x in line], env=own, cwd=ROOT, text=True, **pipes)

    def __call__(self) -> Mapping[str, float]:
        self._say("go")
        return self.answer()

    def answer(self) -> Any:
        """Return what the side says next: once when it is ready, then after each time it worked."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("side: "):
                return json.loads(line.removeprefix("side: "))
        raise SystemExit(f"{self._name} ended: {self._log.read_text(errors='replace')[-2000:]}")

    def close(self) -> None:
        """Let it end."""
        with contextlib.suppress(OSError):
            self._say("end")
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def running(lines: Mapping[str, Sequence[str | Path]], folder: Path) -> Iterator[dict[str, Side]]:
    """Start these sides (name → command), one after the other, and end them after the block.

    One whose library is not installed says so and is left out.
    """
    sides: dict[str, Side] = {}
    try:
        for name, line in lines.items():
            side = Side(name, line, folder / f"{name.replace('/', '-')}.log")
            sides[name] = side
            if lacking := side.answer().get("lacking"):
                print(f"{name} is left out: {lacking}", file=sys.stderr, flush=True)
                sides.pop(name).close()
        yield sides
    finally:
        for side in sides.values():
            side.close()


def served(ready: Callable[[], Callable[[], Any]]) -> None:
    """Be a side: `ready` returns what is done each time."""
    try:
        work = ready()
    except ModuleNotFoundError as e:
        _tell({"lacking": str(e)})
        return
    _tell({})
    for line in sys.stdin:
        if line.strip() != "go":
            break
        _tell(timed(work))


def _tell(said: Mapping[str, Any]) -> None:
    sys.stdout.write(f"side: {json.dumps(said)}\n")
    sys.stdout.flush()
