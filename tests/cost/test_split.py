"""The split of GPUs over pools, against trying every one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ieat_data.cost.split import gpus_needed, split

SHARES = st.sampled_from([0.15, 0.2, 0.25, 0.3, 0.5, 0.6, 1.0, 2.0])
POOLS = st.lists(st.tuples(st.floats(0.5, 100), SHARES), min_size=1, max_size=4)


def place(shares: Sequence[float], counts: Sequence[int]) -> int:
    """GPUs that first fit takes, one replica after the other."""
    free: list[int] = []
    whole = sum(round(s) * n for s, n in zip(shares, counts, strict=True) if s >= 1)
    small = sorted((s for s in set(shares) if s < 1), reverse=True)
    for size in small:
        part = round(size * 100)
        for _ in range(sum(n for s, n in zip(shares, counts, strict=True) if s == size)):
            at = next((i for i, f in enumerate(free) if f >= part), None)
            if at is None:
                free.append(100 - part)
            else:
                free[at] -= part
    return whole + len(free)


def time(work: Sequence[float], counts: Sequence[int]) -> float:
    return max(w / n for w, n in zip(work, counts, strict=True))


def test_the_gpu_profile_takes_two_gpus() -> None:
    assert gpus_needed([1, 0.2, 0.2, 0.15], [1, 1, 1, 4]) == 2
    assert gpus_needed([1, 0.2, 0.2, 0.15], [1, 1, 1, 5]) == 3, "1.15 of shares"
    assert gpus_needed([0.6], [3]) == 3, "a replica lies on one GPU"
    assert gpus_needed([2.0], [3]) == 6
    assert gpus_needed([], []) == 0


@given(st.lists(st.tuples(SHARES, st.integers(0, 30)), max_size=4))
def test_gpus_are_counted_as_if_each_replica_were_placed(pools: list[tuple[float, int]]) -> None:
    shares, counts = [s for s, _ in pools], [n for _, n in pools]
    assert gpus_needed(shares, counts) == place(shares, counts)


@pytest.mark.long
@settings(deadline=None, max_examples=60)
@given(POOLS, st.integers(1, 3))
def test_no_other_split_is_faster(pools: list[tuple[float, float]], gpus: int) -> None:
    work, shares = [w for w, _ in pools], [s for _, s in pools]
    ranges = [range(1, math.floor(gpus / s + 1e-9) + 1) for s in shares]
    fitting = (c for c in itertools.product(*ranges) if gpus_needed(shares, c) <= gpus)
    best = min((time(work, c) for c in fitting), default=None)
    found = split(work, shares, gpus)
    if best is None:
        assert found is None
    else:
        assert found is not None
        assert gpus_needed(shares, found) <= gpus
        assert math.isclose(time(work, found), best, rel_tol=1e-6)


@settings(deadline=None, max_examples=60)
@given(POOLS, st.integers(1, 40))
def test_one_gpu_more_is_never_slower(pools: list[tuple[float, float]], gpus: int) -> None:
    work, shares = [w for w, _ in pools], [s for _, s in pools]
    few, more = split(work, shares, gpus), split(work, shares, gpus + 1)
    if few is not None:
        assert more is not None
        assert time(work, more) <= time(work, few) * (1 + 1e-9)


def test_a_known_split() -> None:
    # 8 GPUs, 60 and 20 hours on whole GPUs: 6 and 2, 10 hours each
    assert split([60, 20], [1, 1], 8) == [6, 2]
    # no work at all still wants one replica of each
    assert split([0, 0], [1, 0.5], 2) == [1, 1]
