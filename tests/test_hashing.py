from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieat_data import hashing


def test_ids_are_stable_across_versions_of_the_code() -> None:
    assert hashing.row_id("emilia-en", "EN_B00000_S00000_W000000") == "45c684fda1928814561256620351aedc"
    assert hashing.fingerprint({"b": 1, "a": [b"x", "é"]}) == hashing.fingerprint({"a": [b"x", "é"], "b": 1})
    assert hashing.fingerprint({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


def test_ids_differ_by_source_key_stage_and_ordinal() -> None:
    ids = {hashing.row_id(s, k) for s in "ab" for k in ("x", "y")}
    ids |= {hashing.child_id("p", s, o) for s in ("inject", "compose") for o in ("0", 0, "empathy")}
    assert len(ids) == 10


@given(st.text(), st.integers(0, 10), st.integers(0, 5))
def test_seeds_fit_an_int32_and_change_with_the_attempt(row: str, attempt: int, salt: int) -> None:
    one = hashing.seed(row, "inject", attempt, salt)
    assert 0 <= one < 2**31
    assert one == hashing.seed(row, "inject", attempt, salt)
    assert one != hashing.seed(row, "inject", attempt + 1, salt)


def test_share_takes_about_its_part() -> None:
    taken = sum(hashing.share("row", i) < 0.4 for i in range(20_000))
    assert 0.38 < taken / 20_000 < 0.42


def test_pick_is_even() -> None:
    drawn = Counter(hashing.pick("abcde", i) for i in range(10_000))
    assert set(drawn) == set("abcde")
    assert min(drawn.values()) > 1800


@given(st.lists(st.text(), unique=True, max_size=30), st.integers(0, 40), st.randoms())
def test_top_k_does_not_depend_on_the_order(names: list[str], k: int, random: object) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert hashing.top_k(names, k, "salt") == hashing.top_k(shuffled, k, "salt")
    assert len(hashing.top_k(names, k)) == min(k, len(names))


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=20), st.integers(0, 20))
def test_content_digest_is_the_same_however_rows_are_cut(digests: list[bytes], cut: int) -> None:
    whole = hashing.content_digest(digests)
    assert whole == hashing.content_digest(reversed(digests))
    assert whole == hashing.content_digest(digests[cut:], start=hashing.content_digest(digests[:cut]))


def test_a_changed_value_changes_the_digest() -> None:
    assert hashing.row_digest({"a": "x", "b": None}) != hashing.row_digest({"a": "x", "b": ""})
    with pytest.raises(ValueError):
        hashing.row_digest({"a": float("nan")})
