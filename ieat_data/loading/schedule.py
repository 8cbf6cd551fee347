"""Whose turn it is: rows of several sources in the proportion of their weights, at every point of the stream.

The row k of a source with weight w is due at the time (2k + 1) / w, and rows come in the order of their times. So each
stretch of the stream has the weights' proportion to the row, and where a row stands can be computed without counting.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm
from typing import Literal

Stop = Literal["first", "all"]


class Schedule:
    """An epoch of a mix.

    Args:
        weights: of each source, above 0; only their proportion counts.
        rows: of each source, above 0.
        stop: `first`: the epoch ends where a source has no more rows, so no row comes twice. `all`: it ends when all
            rows of all sources have come; those that end earlier begin anew.
    """

    def __init__(self, weights: Sequence[float], rows: Sequence[int], stop: Stop = "first") -> None:
        shares = [Fraction(str(w)) for w in weights]
        common = lcm(*(s.numerator for s in shares))
        every = [Fraction(common) / s for s in shares]
        whole = lcm(*(e.denominator for e in every))
        self._every = [int(e * whole) for e in every]  # row k of source i is due at (2k + 1) * every[i]
        if stop == "first":
            time, source = min((self._due(i, n), i) for i, n in enumerate(rows))
            self.length = sum(self._before(time, source))
        else:
            time, source = max((self._due(i, n - 1), i) for i, n in enumerate(rows))
            self.length = sum(self._before(time, source + 1))

    def counts(self, position: int) -> list[int]:
        """Return how many rows of each source come before `position`."""
        if len(self._every) == 1:
            return [position]
        low, high = 0, 1
        while sum(self._before(high, 0)) <= position:
            high *= 2
        while high - low > 1:  # the last time before which at most `position` rows are due
            middle = (low + high) // 2
            low, high = (middle, high) if sum(self._before(middle, 0)) <= position else (low, middle)
        counts = self._before(low, 0)
        for source, count in enumerate(counts):
            if sum(counts) < position and self._due(source, count) == low:
                counts[source] += 1
        return counts

    def after(self, position: int) -> Iterator[tuple[int, int]]:
        """Yield (source, number of its row) from `position` to the end of the epoch."""
        if len(self._every) == 1:
            yield from ((0, k) for k in range(position, self.length))
            return
        due = [(self._due(i, k), i, k) for i, k in enumerate(self.counts(position))]
        heapq.heapify(due)
        for _ in range(position, self.length):
            _, source, k = due[0]
            yield source, k
            heapq.heapreplace(due, (self._due(source, k + 1), source, k + 1))

    def _due(self, source: int, k: int) -> int:
        return (2 * k + 1) * self._every[source]

    def _before(self, time: int, source: int) -> list[int]:
        """Return how many rows of each source are due before `time`, or at `time` in a source before `source`."""
        return [((time - (i >= source)) // every + 1) // 2 for i, every in enumerate(self._every)]
