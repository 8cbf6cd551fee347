"""What running tasks say of themselves to the driver: answers that came, rows that wait, why nothing moves."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

EVERY_S = 0.5  # between two messages of one task, and between two looks of the driver
_TELL_AGAIN_S = 30.0


class Meter:
    """Counts the answers that arrive inside running shards, so that the progress line moves; and says why it does not.

    What many tasks say at once (all wait for one server) is passed on once in half a minute.
    """

    def __init__(self) -> None:
        self.life = uuid.uuid4().hex
        self.counts: dict[str, int] = {}
        self.told: dict[str, float] = {}
        self.texts: list[str] = []
        self.waiting: dict[tuple[str, str], tuple[str, int]] = {}
        self.replicas: Mapping[str, Sequence[int]] = {}

    def place(self, replicas: Mapping[str, Sequence[int]]) -> None:
        """Keep which replicas of each engine take calls, for tasks that are running when some come or go."""
        self.replicas = replicas

    def listed(self, role: str) -> Sequence[int]:
        return self.replicas.get(role, ())

    def see(self, counts: Mapping[str, int], waiting: Mapping[tuple[str, str], tuple[str, int]]) -> None:
        for table, n in counts.items():
            self.counts[table] = self.counts.get(table, 0) + n
        for at, (row, rows) in waiting.items():
            if rows:
                self.waiting[at] = row, rows
            else:
                self.waiting.pop(at, None)

    def tell(self, text: str) -> None:
        if time.monotonic() - self.told.get(text, -_TELL_AGAIN_S) >= _TELL_AGAIN_S:
            self.told[text] = time.monotonic()
            self.texts.append(text)

    def read(self) -> tuple[str, dict[str, int], list[str], dict[tuple[str, str], tuple[str, int]]]:
        texts, self.texts = self.texts, []
        return self.life, self.counts, texts, self.waiting


class Counted:
    """Sums of a counter that may die and begin at nothing: what was read of each of its lives."""

    def __init__(self) -> None:
        self._lives: dict[str, Mapping[str, int]] = {}

    def see(self, life: str, counts: Mapping[str, int]) -> bool:
        """Note what was read; return whether it is a new life's."""
        new = life not in self._lives
        self._lives[life] = counts
        return new

    @property
    def sums(self) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for counts in self._lives.values():
            total.update(counts)
        return total


class Reports:
    """What one task tells the meter, in few messages: each costs Ray as much as dozens of rows cost here."""

    def __init__(self, meter: Any) -> None:
        self._meter, self._over, self._lock = meter, threading.Event(), threading.Lock()
        self._counts: Counter[str] = Counter()
        self._waiting: dict[tuple[str, str], tuple[str, int]] = {}
        self._thread = threading.Thread(target=self._run, name="ieat-reports", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        self._send()

    def add(self, table: str, n: int) -> None:
        with self._lock:
            self._counts[table] += n

    def waits(self, role: str, where: str, rows: Sequence[str]) -> None:
        with self._lock:
            self._waiting[role, where] = (rows[0] if rows else "", len(rows))

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._send()

    def _send(self) -> None:
        with self._lock:
            counts, self._counts = dict(self._counts), Counter()
            waiting, self._waiting = self._waiting, {}
        if counts or waiting:
            self._meter.see.remote(counts, waiting)
