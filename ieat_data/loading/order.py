"""The order of the rows: decided by numbers alone, so that any process knows it without reading.

A pass over a dataset is a sequence of its shards (shuffled), which the ranks divide to the row. A rank joins a few
neighbours in that sequence to a bundle, shuffles the row groups of the bundle, cuts them into windows, and shuffles the
rows of a window. A window is what is held in memory. None of this depends on how many workers read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

BUNDLE = 4  # shards whose row groups are mixed
WINDOW_BYTES = 256 << 20  # of a window, as the row groups lie in the file; one row group may be larger

Key = tuple[int, int, int]  # seed, epoch, pass
Groups = Sequence[tuple[int, int]]  # of a shard, in order: (rows, bytes) of each row group

_SHARDS, _GROUPS, _ROWS = range(3)  # what is shuffled


def permuted(n: int, *key: int) -> NDArray[np.int64]:
    """Return the numbers from 0 to n - 1 in an order that only `key` decides, with any version of NumPy."""
    # raw bits and SeedSequence are promised to stay as they are; Generator.permutation is not
    raw = np.random.PCG64(np.random.SeedSequence(key)).random_raw(n)
    return np.argsort(np.asarray(raw, np.uint64), kind="stable")


def part_of(rows: int, rank: int, world: int, drop: bool) -> tuple[int, int]:
    """Return which of the `rows` a rank reads: from, to. Without `drop` the first ranks read one more each."""
    each, over = divmod(rows, world)
    if drop:
        over = 0
    start = rank * each + min(rank, over)
    return start, start + each + (rank < over)


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a shard, from `start` to before `stop`."""

    shard: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a row group; `start` and `stop` count within it."""

    shard: int
    group: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Window:
    """Rows that are read together: the rows of `parts`, one after the other, in the order `rows` (indices into them).

    `start`: the position of the first one in the rank's pass.
    """

    start: int
    parts: tuple[Part, ...]
    rows: NDArray[np.int64]


class Pass:
    """One pass of one rank over the rows of a dataset.

    Args:
        shards: rows of each shard.
        start: the first row of the rank, in the sequence of all.
        stop: the row after its last one.
        key: decides the order; None: as the rows lie.
        window: rows of a window, about.
    """

    def __init__(self, shards: Sequence[int], start: int, stop: int, key: Key | None, window: int) -> None:
        self._key, self._window = key, window
        order = range(len(shards)) if key is None else permuted(len(shards), *key, _SHARDS, 0).tolist()
        pieces, at = [], 0
        for shard in order:
            first, last = max(start - at, 0), min(stop - at, shards[shard])
            if first < last:
                pieces.append(Piece(shard, first, last))
            at += shards[shard]
        size = 1 if key is None else BUNDLE
        self.bundles = [pieces[i : i + size] for i in range(0, len(pieces), size)]
        self._ends = list(accumulate(sum(p.stop - p.start for p in bundle) for bundle in self.bundles))

    def bundle(self, position: int) -> int:
        """Return the number of the bundle that holds the row at `position`."""
        return bisect_right(self._ends, position)

    def windows(self, bundle: int, groups: Mapping[int, Groups]) -> list[Window]:
        """Return the windows of a bundle, in order. `groups`: of each of its shards."""
        parts = [part for piece in self.bundles[bundle] for part in _parts(piece, groups[piece.shard])]
        if self._key is not None:
            parts = [parts[i] for i in permuted(len(parts), *self._key, _GROUPS, bundle)]
        made: list[Window] = []
        at = self._ends[bundle - 1] if bundle else 0
        held: list[Part] = []
        rows = size = 0
        for part in parts:
            more, heavy = part.stop - part.start, groups[part.shard][part.group][1]
            if held and (self._key is None or rows + more > self._window or size + heavy > WINDOW_BYTES):
                made.append(self._made(at, held, rows, bundle, len(made)))
                at, held, rows, size = at + rows, [], 0, 0
            held.append(part)
            rows, size = rows + more, size + heavy
        return [*made, self._made(at, held, rows, bundle, len(made))]

    def _made(self, start: int, parts: Sequence[Part], rows: int, bundle: int, n: int) -> Window:
        order = np.arange(rows) if self._key is None else permuted(rows, *self._key, _ROWS, bundle, n)
        return Window(start, tuple(parts), order)


def _parts(piece: Piece, groups: Groups) -> list[Part]:
    found, at = [], 0
    for group, (rows, _) in enumerate(groups):
        first, last = max(piece.start - at, 0), min(piece.stop - at, rows)
        if first < last:
            found.append(Part(piece.shard, group, first, last))
        at += rows
    return found
