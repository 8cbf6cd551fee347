"""How many replicas of each engine to run on N GPUs: the counts with which the slowest pool ends soonest.

A pool's time is its work divided by its replicas. For a time T each pool needs ceil(work / T) of them; the answer is
the smallest T whose counts can be placed. Only times at which a count changes need to be tried: work / 1, work / 2, …
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_UNIT = 10_000  # smallest fraction of a GPU, as in Ray


def gpus_needed(shares: Sequence[float], counts: Sequence[int]) -> int:
    """Return the GPUs needed for `counts` replicas of `shares` GPUs each, placed largest first by first fit.

    A replica of less than one GPU stays on one GPU; a replica of whole GPUs shares them with none.
    """
    sized = [(round(s * _UNIT), n) for s, n in zip(shares, counts, strict=True)]
    whole = sum(math.ceil(size / _UNIT) * n for size, n in sized if size >= _UNIT)
    bins: list[tuple[int, int]] = []  # (free parts, number of such GPUs)
    for size, n in sorted((x for x in sized if 0 < x[0] < _UNIT), reverse=True):
        left, after = n, []
        for free, many in [*bins, (_UNIT, n)]:
            each = free // size
            full = min(many, left // each) if each else 0
            rest = left - full * each if each and full < many else 0  # fewer than would fill the next one
            after += [(free - each * size, full), (free - rest * size, 1 if rest else 0)]
            if free < _UNIT:
                after.append((free, many - full - bool(rest)))
            left -= full * each + rest
        bins = [(free, many) for free, many in after if many]
    return whole + sum(many for _, many in bins)


def split(work: Sequence[float], shares: Sequence[float], gpus: int) -> list[int] | None:
    """Return the replicas of each pool, at least one each, or None if not even that fits.

    Args:
        work: for each pool, the seconds that one replica would take for all its work.
        shares: GPUs (or a fraction of one) of a replica of each pool; more than 0.
        gpus: how many there are.
    """
    if gpus_needed(shares, [1] * len(work)) > gpus:
        return None
    bound = sum(w * s for w, s in zip(work, shares, strict=True)) / gpus  # no placement is faster
    most = [gpus * _UNIT // round(s * _UNIT) for s in shares]
    times = {w / k for w, top in zip(work, most, strict=True) for k in range(1, top + 1)}
    for time in sorted(t for t in times if t >= bound * (1 - 1e-9) and t > 0):
        counts = [max(1, math.ceil(w / time * (1 - 1e-9))) for w in work]
        if gpus_needed(shares, counts) <= gpus:
            return counts
    return [1] * len(work)
