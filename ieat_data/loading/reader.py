"""From positions in a pass to rows: a window of row groups is held, its clips as Arrow until their turn comes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from ieat_data.loading.order import Pass, Window
from ieat_data.loading.shards import OpenShard, Shards
from ieat_data.loading.sharing import Row

_SPARSE = 0.5  # where a reader needs fewer of a group's rows than this share, the others' clips are not kept


def read(shards: Shards, order: Pass, positions: Iterator[int], columns: Sequence[str] | None) -> Iterator[Row]:
    """Yield the rows at `positions`, which increase. Row groups that hold none of them are not read."""
    for number, inside in groupby(positions, order.bundle):
        with ExitStack() as stack:
            shards.fetch([p.shard for bundle in order.bundles[number : number + 2] for p in bundle])
            opened = {p.shard: stack.enter_context(shards.open(p.shard)) for p in order.bundles[number]}
            windows = order.windows(number, {shard: file.groups for shard, file in opened.items()})
            starts = [w.start for w in windows]
            for after, wanted in groupby(inside, partial(bisect_right, starts)):
                window = windows[after - 1]
                yield from _rows(window, [p - window.start for p in wanted], opened, columns)


def _rows(
    window: Window, wanted: list[int], opened: dict[int, OpenShard], columns: Sequence[str] | None
) -> Iterator[Row]:
    """Yield the rows of a window at the places `wanted` of its order."""
    rows = window.rows[wanted]
    ends = np.cumsum([p.stop - p.start for p in window.parts])
    parts = np.searchsorted(ends, rows, "right")
    at = np.empty(len(rows), np.int64)  # the row's place in what is held of its part
    held: dict[int, _Held] = {}
    for n in np.unique(parts).tolist():
        part = window.parts[n]
        mine = np.flatnonzero(parts == n)
        inside = rows[mine] - (ends[n] - (part.stop - part.start)) + part.start  # the row's place in its row group
        table = opened[part.shard].read(part.group, columns)
        if len(mine) < _SPARSE * len(table):
            table, inside = table.take(inside), np.arange(len(mine))
        at[mine] = inside
        held[n] = _Held(table)
    left = {n: int((parts == n).sum()) for n in held}
    for n, i in zip(parts.tolist(), at.tolist(), strict=True):
        yield held[n].row(i)
        left[n] -= 1
        if not left[n]:
            del held[n]


class _Held:
    """Rows of a row group: light columns as Python objects, clips as Arrow until their row's turn comes."""

    def __init__(self, table: pa.Table) -> None:
        self._columns = [(name, _light(table.column(name))) for name in table.column_names]

    def row(self, i: int) -> Row:
        return {name: held[i] if isinstance(held, list) else held[i].as_py() for name, held in self._columns}


def _light(column: pa.ChunkedArray) -> Any:
    return column if "binary" in str(column.type) else column.to_pylist()
