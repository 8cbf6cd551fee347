"""Agreement of two raters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


def kappa(pairs: Mapping[str, int]) -> tuple[float, float | None]:
    """Return (share of equal ratings, quadratic weighted kappa) from "first,second" → count.

    The kappa is None if both always give the same single rating: there is no chance agreement to compare with.
    """
    counts = {tuple(map(int, pair.split(","))): n for pair, n in pairs.items()}
    total = sum(counts.values())
    firsts, seconds = Counter[int](), Counter[int]()
    for (a, b), n in counts.items():
        firsts[a] += n
        seconds[b] += n
    observed = sum(n * (a - b) ** 2 for (a, b), n in counts.items())
    by_chance = sum(n * m * (a - b) ** 2 for a, n in firsts.items() for b, m in seconds.items()) / total
    equal = sum(n for (a, b), n in counts.items() if a == b) / total
    return equal, None if by_chance == 0 else 1 - observed / by_chance
