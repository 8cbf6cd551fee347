"""Progress of a fetch: a bar on a terminal, otherwise a plain line now and then. Both write to standard error."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

_EVERY_S = 5.0


class Progress(Protocol):
    """What `fetch` reports: one model after another, in bytes of the download."""

    def start(self, name: str, total: int, done: int) -> None: ...
    def update(self, done: int) -> None: ...
    def note(self, text: str) -> None: ...
    def end(self) -> None: ...


class Silent:
    """Reports nothing."""

    def start(self, name: str, total: int, done: int) -> None: ...
    def update(self, done: int) -> None: ...
    def note(self, text: str) -> None: ...
    def end(self) -> None: ...


class Plain:
    """Lines for logs: at most one every five seconds."""

    def start(self, name: str, total: int, done: int) -> None:
        self._name, self._total, self._first = name, total, done
        self._began = self._said = time.monotonic()
        had = f", {done / 1e6:.0f} MB of them already there" if done else ""
        self.note(f"{name}: {total / 1e6:.0f} MB to download{had}")

    def update(self, done: int) -> None:
        now = time.monotonic()
        if now - self._said < _EVERY_S or done >= self._total:
            return
        self._said = now
        self.note(f"{self._name}: {_line(done, self._total, (done - self._first) / (now - self._began))}")

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def end(self) -> None: ...


def _line(done: int, total: int, rate: float) -> str:
    """Return done, total, share, rate in bytes per second, and the time left."""
    text = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB ({done / total:.0%}), {rate / 1e6:.1f} MB/s"
    if rate <= 0:
        return text
    left = round((total - done) / rate)
    return f"{text}, {left // 60} min {left % 60} s left" if left >= 60 else f"{text}, {left} s left"


class Bar:
    """A bar with bytes, rate and time left, for a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._bar: Any = None

    def start(self, name: str, total: int, done: int) -> None:
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task(name, total=total, completed=done)
        self._bar.start()

    def update(self, done: int) -> None:
        self._bar.update(self._task, completed=done)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def for_terminal() -> Progress:
    """Return the bar if standard error is a terminal, else plain lines."""
    return Bar() if sys.stderr.isatty() else Plain()
