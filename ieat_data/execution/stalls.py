"""Engines that give no answer for a while: which, and what waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

FIRST_S = 180.0  # without an answer to any task; then after twice that, and so on

Waiting = Mapping[tuple[str, str], tuple[str, int]]  # (role, table/shard) → its first row that waits, and how many do


class Stalls:
    """Tells of engines that answer nothing.

    Args:
        tables: the tables whose tasks ask an engine, by its role.
        say: called with each line.
        clock: seconds.
    """

    def __init__(
        self,
        tables: Mapping[str, Sequence[str]],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables, self._say, self._clock = tables, say, clock
        self._answers: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._next: dict[str, float] = {}

    def see(self, counts: Mapping[str, int], waiting: Waiting) -> None:
        """Look at the number of answers by table, and at what waits."""
        now = self._clock()
        for role, tables in self._tables.items():
            waits = {where: rows for (r, where), rows in waiting.items() if r == role}
            answers = sum(counts.get(t, 0) for t in tables)
            if not waits or answers != self._answers.get(role) or role not in self._since:
                self._answers[role], self._since[role], self._next[role] = answers, now, FIRST_S
                continue
            silent_s = now - self._since[role]
            if silent_s >= self._next[role]:
                self._next[role] *= 2
                where, (row, n) = next(iter(waits.items()))
                others = f" and {n - 1} more" if n > 1 else ""
                tasks = f"; {len(waits) - 1} other tasks wait" if len(waits) > 1 else ""
                self._say(f"{role} has not answered for {silent_s / 60:.0f} min ({where}, row {row}{others}{tasks})")
