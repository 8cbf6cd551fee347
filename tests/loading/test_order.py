"""Orders are decided by numbers: each row once, in windows of bounded size, for any division."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ieat_data.loading.order import WINDOW_BYTES, Groups, Pass, part_of, permuted
from ieat_data.loading.schedule import Schedule

quick = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
SHARDS = st.lists(st.integers(1, 40), min_size=1, max_size=12)
KEYS = st.none() | st.tuples(st.integers(0, 2**64), st.integers(0, 5), st.integers(0, 3))


def groups(rows: int, size: int, heavy: int = 1) -> Groups:
    return [(min(size, rows - at), heavy) for at in range(0, rows, size)]


def walked(order: Pass, shards: list[int], size: int) -> list[tuple[int, int]]:
    """(shard, row) of a pass, in order; each window begins where the one before it ends."""
    rows, at = [], 0
    for b, bundle in enumerate(order.bundles):
        for window in order.windows(b, {p.shard: groups(shards[p.shard], size) for p in bundle}):
            assert window.start == at
            assert order.bundle(at) == b
            flat = [(p.shard, p.group * size + i) for p in window.parts for i in range(p.start, p.stop)]
            rows += [flat[i] for i in window.rows]
            at += len(flat)
    return rows


@quick
@given(SHARDS, st.integers(1, 9), st.integers(1, 6), KEYS, st.integers(1, 60))
def test_the_ranks_read_each_row_once(shards: list[int], size: int, world: int, key: object, window: int) -> None:
    total = sum(shards)
    everything = [(s, r) for s, n in enumerate(shards) for r in range(n)]
    found, lengths = [], []
    for rank in range(world):
        order = Pass(shards, *part_of(total, rank, world, drop=False), key, window)  # type: ignore[arg-type]
        rows = walked(order, shards, size)
        found += rows
        lengths.append(len(rows))
    assert sorted(found) == everything
    assert max(lengths) - min(lengths) <= 1, "nobody reads more than one row more"
    if key is None:
        assert found == everything, "as the rows lie"


@quick
@given(st.integers(0, 1000), st.integers(1, 50))
def test_dropping_the_rest_makes_ranks_equal(rows: int, world: int) -> None:
    parts = [part_of(rows, rank, world, drop=True) for rank in range(world)]
    assert {b - a for a, b in parts} == {rows // world}
    assert all(a[1] == b[0] for a, b in pairwise(parts))


def test_an_order_stays_what_it_is_over_versions() -> None:
    assert permuted(8, 7, 0, 0, 0, 0).tolist() == [1, 6, 5, 2, 4, 7, 0, 3]
    assert permuted(8, 7, 1, 0, 0, 0).tolist() != permuted(8, 7, 0, 0, 0, 0).tolist()


def test_a_window_is_bounded_in_rows_and_bytes() -> None:
    shards = [64, 64]
    order = Pass(shards, 0, 128, (1, 0, 0), 24)
    made = order.windows(0, {s: groups(64, 8) for s in (0, 1)})
    assert {len(w.rows) for w in made} == {24, 8}
    assert len({p.shard for p in made[0].parts}) == 2, "a window mixes shards"
    heavy = order.windows(0, {s: groups(64, 8, WINDOW_BYTES // 2 + 1) for s in (0, 1)})
    assert {len(w.rows) for w in heavy} == {8}, "two such row groups are too much"
    plain = Pass(shards, 0, 128, None, 24).windows(0, {0: groups(64, 8)})
    assert {len(w.parts) for w in plain} == {1}, "nothing is held that is not shuffled"


WEIGHTS = st.lists(st.sampled_from([0.1, 0.25, 0.5, 1, 2, 3, 7.5]), min_size=1, max_size=4)


@quick
@given(st.data(), WEIGHTS, st.sampled_from(["first", "all"]))
def test_a_mix_keeps_its_proportion_at_every_point(data: st.DataObject, weights: list[float], stop: str) -> None:
    rows = data.draw(st.lists(st.integers(1, 30), min_size=len(weights), max_size=len(weights)))
    schedule = Schedule(weights, rows, stop)  # type: ignore[arg-type]
    turns = list(schedule.after(0))
    assert len(turns) == schedule.length
    counts = [0] * len(weights)
    for position, (source, k) in enumerate(turns):
        assert schedule.counts(position) == counts, "where a row stands needs no counting"
        assert counts[source] == k
        counts[source] += 1
        for n, w in zip(counts, weights, strict=True):
            assert abs(n - (position + 1) * w / sum(weights)) <= 1.0 * len(weights)
    if stop == "first":
        assert all(n <= most for n, most in zip(counts, rows, strict=True)), "no row twice"
        assert any(n == most for n, most in zip(counts, rows, strict=True))
    else:
        assert all(n >= most for n, most in zip(counts, rows, strict=True)), "each row once at least"
        assert any(n == most for n, most in zip(counts, rows, strict=True)), "and no longer than needed"
    at = data.draw(st.integers(0, len(turns)))
    assert list(schedule.after(at)) == turns[at:]


def test_equal_shares_of_two_thirds() -> None:
    turns = "".join("ab"[s] for s, _ in Schedule([2, 1], [40, 20]).after(0))
    assert turns == "aba" * 20, turns


@pytest.mark.parametrize("weights", [[0.7, 0.3], [7, 3], [70, 30]])
def test_only_the_proportion_counts(weights: list[float]) -> None:
    assert list(Schedule(weights, [70, 30]).after(0)) == list(Schedule([0.7, 0.3], [70, 30]).after(0))
