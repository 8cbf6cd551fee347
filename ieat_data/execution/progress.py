"""Shows the progress of a build: a live table on a terminal, plain lines elsewhere, and one line about all of it."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ieat_data import logs
from ieat_data.errors import Retryable, UserError
from ieat_data.execution.node import Node
from ieat_data.execution.overall import KEPT, Overall, Weight
from ieat_data.execution.plan import Plan
from ieat_data.masking import masked
from ieat_data.storage.shards import CommitRecord

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_EVERY_S = 15.0  # between plain lines that only say that work continues
_KEPT_EVERY_S = 5.0  # between two writings of WORK/progress.json
_SHARDS_EVERY_S = 2.0  # between plain lines of one stage: keeps a log of fifty thousand shards readable

_log = logging.getLogger(logs.PROGRESS)


@dataclass
class _Stage:
    shards: int
    before: int  # shards that existed at the start
    done: int = 0
    rows: int = 0
    rejected: int = 0
    calls: int = 0
    told: int = 0  # calls in the last message
    started: float | None = None
    finished: float | None = None
    spoke: float = float("-inf")  # time of the last plain line about this stage


class Progress:
    """Counts per stage, with rate and ETA, and those of the whole build. Use as a context manager.

    Args:
        plan: what is built.
        live: a table that moves; by default where standard error is a terminal.
        weights: what each stage costs, for the line about the whole; none: its shards.
    """

    def __init__(self, plan: Plan, live: bool | None = None, weights: Mapping[str, Weight] | None = None) -> None:
        self._stages: dict[str, _Stage] = {}
        for node in plan.nodes.values():
            if node.shards:
                there = len(node.records)
                rows = sum(r.rows for r in node.records.values())
                bad = sum(sum(r.rejects.values()) for r in node.records.values())
                self._stages[node.name] = _Stage(len(node.shards), there, there, rows, bad)
        self._live = sys.stderr.isatty() and not logs.chatty() if live is None else live
        self._began = self._spoke = self._told = time.monotonic()
        self._overall = Overall(weights or {}, self._began)
        self._overall.begun_with = self._overall.share(self._stages)
        self._work = plan.work
        self._kept = float("-inf")
        self._display: Live | None = None

    def __enter__(self) -> Progress:
        if self._live:
            from rich.console import Console
            from rich.live import Live

            self._display = Live(self._table(), console=Console(stderr=True), refresh_per_second=2)
            self._display.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._display is not None:
            with contextlib.suppress(OSError, ValueError):
                self._display.update(self._table())
                self._display.stop()

    def note(self, text: str) -> None:
        self._say(masked(text))

    def start(self, name: str) -> None:
        stage = self._stages[name]
        if stage.started is None:
            stage.started = time.monotonic()

    def calls(self, counts: Mapping[str, int]) -> None:
        """Show the number of the engines' answers so far, by stage."""
        for name, n in counts.items():
            self._stages[name].calls = n
        self._tell_overall()
        if self._display is not None:
            self._display.update(self._table())
        elif time.monotonic() - self._spoke > _EVERY_S:
            moved = [f"{n}: {s.calls} answers" for n, s in self._stages.items() if s.calls > s.told]
            if moved:
                self._say(", ".join(moved))
                for s in self._stages.values():
                    s.told = s.calls

    def overall(self) -> str:
        """Return how much of the build is done and how long the rest takes: `34 % of the build, ETA 1:20`."""
        left = self._overall.left_s(self._stages, time.monotonic())
        eta = f", ETA {_clock(left)}" if left else ""
        return f"{100 * self._overall.share(self._stages):.0f} % of the build{eta}"

    def _tell_overall(self) -> None:
        """Say it now and then, and keep it in WORK/progress.json, for `ieat status` and the live report."""
        now = time.monotonic()
        if self._display is None and now - self._told > _EVERY_S:
            self._told = now
            self._say(self.overall())
        if now - self._kept > _KEPT_EVERY_S:
            self._kept = now
            left = self._overall.left_s(self._stages, now)
            told = {"share": round(self._overall.share(self._stages), 4), "left_s": left and round(left, 1)}
            with contextlib.suppress(OSError, UserError, Retryable):  # it is no part of the build
                self._work.replace_json(KEPT, {**told, "at": time.time()})

    def lost(self, node: Node, record: CommitRecord) -> None:
        """Take back a shard that has to be made again."""
        stage = self._stages[node.name]
        stage.done -= 1
        stage.rows -= record.rows
        stage.rejected -= sum(record.rejects.values())
        stage.finished = None

    def done(self, node: Node, records: Sequence[CommitRecord]) -> None:
        stage = self._stages[node.name]
        stage.done += len(records)
        stage.rows += sum(r.rows for r in records)
        stage.rejected += sum(sum(r.rejects.values()) for r in records)
        if stage.done == stage.shards:
            stage.finished = time.monotonic()
        if self._display is None and stage.finished is None and time.monotonic() - stage.spoke < _SHARDS_EVERY_S:
            return
        stage.spoke = time.monotonic()
        rate, eta = self._rate(stage)
        rejected = f", {stage.rejected} rejected" if stage.rejected else ""
        self._say(f"{node.name}: {stage.done}/{stage.shards} shards, {stage.rows} rows{rejected}, {rate}{eta}")

    def _rate(self, stage: _Stage) -> tuple[str, str]:
        if stage.started is None or stage.done == stage.before:
            return "", ""
        seconds = max((stage.finished or time.monotonic()) - stage.started, 1e-3)
        made = stage.done - stage.before
        left = (stage.shards - stage.done) * seconds / made
        rows = stage.rows * made / stage.done
        return f"{rows / seconds:.1f} rows/s", f", ETA {_clock(left)}" if left else f", {_clock(seconds)}"

    def _say(self, text: str) -> None:
        self._spoke = time.monotonic()
        _log.info(text)
        with contextlib.suppress(OSError, ValueError):  # the terminal is closed: WORK/logs has all lines
            if self._display is not None:
                self._display.update(self._table())
            else:
                print(f"[{_clock(self._spoke - self._began)}] {text}", file=sys.stderr, flush=True)

    def _table(self) -> Table:
        from rich.table import Table

        title = f"building · {_clock(time.monotonic() - self._began)} · {self.overall()}"
        table = Table(box=None, title=title, title_justify="left")
        for column in ("stage", "shards", "rows", "rejected", "answers", "rate", "ETA / took"):
            table.add_column(column, justify="left" if column == "stage" else "right")
        for name, s in self._stages.items():
            rate, eta = self._rate(s)
            style = "dim" if s.done == s.shards else "bold" if s.started else ""
            cells = [f"{s.done}/{s.shards}", str(s.rows), str(s.rejected), str(s.calls or ""), rate, eta.strip(", ")]
            table.add_row(name, *cells, style=style)
        return table


def _clock(seconds: float) -> str:
    m, s = divmod(round(seconds), 60)
    h, m = divmod(m, 60)
    return f"{h}:{m:02d}:{s:02d}" if h else f"{m}:{s:02d}"
