"""How many replicas of each engine on N GPUs: the counts that end the slowest pool soonest.

A pool's time is its work divided by its replicas. For a time T each pool needs ceil(work / T) of them; the answer is
the smallest T whose counts can be placed. Only times at which some count changes need be tried: work / 1, work / 2, …
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_UNIT = 10_000  # parts of a GPU that are told apart, as in Ray


def gpus_needed(shares: Sequence[float], counts: Sequence[int]) -> int:
    """GPUs that hold `counts` replicas of `shares` of a GPU each, largest shares first, each where it first fits.

    A replica of less than one GPU lies on one; whole GPUs are shared with nobody.
    """
    sized = [(round(s * _UNIT), n) for s, n in zip(shares, counts, strict=True)]
    whole = sum(math.ceil(size / _UNIT) * n for size, n in sized if size >= _UNIT)
    bins: list[tuple[int, int]] = []  # (free parts, how many GPUs are so)
    for size, n in sorted((x for x in sized if 0 < x[0] < _UNIT), reverse=True):
        left, after = n, []
        for free, many in [*bins, (_UNIT, n)]:
            each = free // size
            full = min(many, left // each) if each else 0
            rest = left - full * each if each and full < many else 0  # fewer than fill the next one
            after += [(free - each * size, full), (free - rest * size, 1 if rest else 0)]
            if free < _UNIT:
                after.append((free, many - full - bool(rest)))
            left -= full * each + rest
        bins = [(free, many) for free, many in after if many]
    return whole + sum(many for _, many in bins)


def split(work: Sequence[float], shares: Sequence[float], gpus: int) -> list[int] | None:
    """Replicas of each pool, at least one each; None where not even that fits.

    Args:
        work: seconds that the whole work of each pool would take one replica.
        shares: GPUs (or a part of one) of a replica of each pool; more than 0.
    """
    if gpus_needed(shares, [1] * len(work)) > gpus:
        return None
    bound = sum(w * s for w, s in zip(work, shares, strict=True)) / gpus  # no placing is faster
    most = [gpus * _UNIT // round(s * _UNIT) for s in shares]
    times = {w / k for w, top in zip(work, most, strict=True) for k in range(1, top + 1)}
    for time in sorted(t for t in times if t >= bound * (1 - 1e-9) and t > 0):
        counts = [max(1, math.ceil(w / time * (1 - 1e-9))) for w in work]
        if gpus_needed(shares, counts) <= gpus:
            return counts
    return [1] * len(work)
