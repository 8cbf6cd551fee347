import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieat_data.stages.dialogue.dialogues import arrange, form, lengths, most_dialogues, most_used

LABELS = ["happy", "sad", "anger", "fear", "neutral", "surprise", "disgust"]
EVEN = {2: 1.0, 3: 1.0, 4: 1.0}
pools = st.lists(st.sampled_from(LABELS), max_size=60).map(lambda ls: {f"s{i:03d}": x for i, x in enumerate(ls)})


@given(pools)
def test_dialogues_are_lawful(pool: dict[str, str]) -> None:
    made = form(pool, EVEN)
    used = [s for d in made for s in d]
    assert len(used) == len(set(used))
    assert set(used) <= set(pool)
    for d in made:
        assert 2 <= len(d) <= 4
        assert pool[d[0]] != pool[d[-1]]


@pytest.mark.long
@given(pools)
def test_as_many_dialogues_as_were_planned_are_formed(pool: dict[str, str]) -> None:
    counts = Counter(pool.values())
    sizes = lengths(len(pool), EVEN, most_dialogues(counts))
    assert sorted(map(len, form(pool, EVEN)), reverse=True) == sizes
    assert sum(sizes) <= most_used(counts, 4)


@given(pools)
def test_a_varied_pool_leaves_at_most_one_over(pool: dict[str, str]) -> None:
    counts = Counter(pool.values())
    if counts and max(counts.values()) * 3 <= len(pool):
        assert len(pool) - sum(map(len, form(pool, EVEN))) <= (1 if len(pool) > 2 else 2)


def one_by_one(counts: dict[str, int], sizes: list[int]) -> list[list[str]]:
    """`arrange` in so many words: of the pairs that leave enough pairs of unlike samples, the one used least so far;
    then the one with most samples left; then by name. Counts the whole pool again for each."""
    left, out = Counter(counts), []
    pairs: Counter[tuple[str, str]] = Counter()
    for i, size in enumerate(sizes):
        ends = [(a, b) for a in left for b in left if a != b and left[a] and left[b]]
        if not ends or left.total() < size:
            break
        after = len(sizes) - i - 1
        first, last = min(
            ends,
            key=lambda p: (most_dialogues(left - Counter(p)) < after, pairs[p], -(left[p[0]] + left[p[1]]), p),
        )
        left -= Counter([first, last])
        middle = []
        for _ in range(size - 2):
            middle.append(max(sorted(left), key=left.__getitem__))
            left[middle[-1]] -= 1
        pairs[first, last] += 1
        out.append([first, *middle, last])
    return out


@given(
    st.dictionaries(st.sampled_from(LABELS), st.integers(0, 25)),
    st.lists(st.sampled_from([2, 3, 4]), max_size=30) | st.none(),
)
def test_arranged_as_if_every_pair_were_tried(counts: dict[str, int], sizes: list[int] | None) -> None:
    if sizes is None:
        sizes = lengths(sum(counts.values()), EVEN, most_dialogues(counts))
    assert arrange(counts, sizes) == one_by_one(counts, sizes)


def test_nine_samples_make_one_of_each_length() -> None:
    assert lengths(9, EVEN, 4) == [4, 3, 2]
    assert lengths(7, EVEN, 3) == [4, 3]
    assert lengths(5, EVEN, 2) == [3, 2]
    assert lengths(1, EVEN, 0) == []
    assert lengths(100, {2: 1.0}, 50) == [2] * 50
    assert lengths(10, {4: 1.0, 2: 0.0}, 5) == [4, 4]


def test_the_mix_holds_where_the_pool_allows() -> None:
    chosen = Counter(lengths(9000, {2: 2.0, 3: 1.0, 4: 1.0}, 4500))
    assert chosen[2] == pytest.approx(2 * chosen[3], abs=2)
    assert chosen[3] == pytest.approx(chosen[4], abs=2)
    assert sum(n * k for n, k in chosen.items()) >= 8999


def test_pairs_are_even() -> None:
    pool = {f"s{i}": LABELS[i % 7] for i in range(42 * 3 * 4)}
    pairs = Counter((pool[d[0]], pool[d[-1]]) for d in form(pool, EVEN))
    assert len(pairs) == 42
    assert max(pairs.values()) - min(pairs.values()) <= 2  # greedy: each within one of the even 4


def test_where_one_emotion_rules_the_others_end_dialogues_and_it_fills() -> None:
    pool = {f"n{i}": "neutral" for i in range(90)} | {f"h{i}": "happy" for i in range(10)}
    made = form(pool, EVEN)
    assert len(made) == 10 == most_dialogues(Counter(pool.values()))
    assert Counter(map(len, made)) == {4: 4, 3: 3, 2: 3}


def test_nothing_comes_of_one_emotion() -> None:
    assert form({f"n{i}": "neutral" for i in range(9)}, EVEN) == []
    assert arrange({"neutral": 9}, [2, 2]) == []


def test_the_order_of_the_pool_decides_and_nothing_else() -> None:
    items = [(f"s{i}", LABELS[i % 5]) for i in range(40)]
    assert form(dict(items), EVEN) == form(dict(items), EVEN)
    random.Random(1).shuffle(items)
    assert {len(d) for d in form(dict(items), EVEN)} == {2, 3, 4}


@given(pools)
def test_an_emotion_comes_once_in_a_dialogue_as_long_as_there_are_others(pool: dict[str, str]) -> None:
    counts = Counter(pool.values())
    sizes = lengths(len(pool), EVEN, most_dialogues(counts))
    left = counts.copy()
    for dialogue in arrange(counts, sizes, ("neutral",)):
        assert dialogue[0] != dialogue[-1]
        left -= Counter(dialogue)
        if dialogue.count("neutral") > 1:
            assert not left.total() - left["neutral"], "nothing else was left"


def test_without_such_an_emotion_it_may_come_twice() -> None:
    pool = {f"s{i}": x for i, x in enumerate(["sad", "neutral", "neutral", "neutral", "happy", "sad"])}
    twice = [[pool[s] for s in d] for d in form(pool, {4: 1.0})]
    once = [[pool[s] for s in d] for d in form(pool, {4: 1.0}, ("neutral",))]
    assert any(d.count("neutral") > 1 for d in twice) and all(d.count("neutral") <= 1 for d in once)
