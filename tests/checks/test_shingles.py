from __future__ import annotations

import random

import numpy as np
import pytest

from ieat_data.checks.shingles import BANDS, PLACES, band_keys, ngrams, shingles, signature, similarity, tokens


def sets_of_similarity(jaccard: float, size: int, draw: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Two random sets of hashes with that part in common."""
    shared = round(jaccard * size)
    numbers = np.array([draw.getrandbits(64) for _ in range(size)], np.uint64)
    cut = shared + (size - shared) // 2
    return np.unique(numbers[:cut]), np.unique(np.concatenate([numbers[:shared], numbers[cut:]]))


@pytest.mark.parametrize("jaccard", [0.0, 0.3, 0.6, 0.8, 0.95, 1.0])
def test_signatures_estimate_the_similarity(jaccard: float) -> None:
    draw = random.Random(1)
    found = []
    for _ in range(200):
        a, b = sets_of_similarity(jaccard, 60, draw)
        found.append(float(similarity(signature(a), signature(b))))
    assert np.mean(found) == pytest.approx(jaccard, abs=0.02)
    assert np.std(found) < 0.06


def test_texts_that_are_alike_share_a_band_and_others_do_not() -> None:
    draw = random.Random(2)

    def shared(jaccard: float) -> float:
        pairs = [sets_of_similarity(jaccard, 60, draw) for _ in range(300)]
        keys = [band_keys(np.stack([signature(a), signature(b)]), np.zeros(2, np.uint64)) for a, b in pairs]
        return float(np.mean([(k[0] == k[1]).any() for k in keys]))

    assert shared(0.8) > 0.96
    assert shared(0.2) < 0.03


def test_bands_of_other_scopes_have_nothing_in_common() -> None:
    one = signature(shingles(["we went to the market and bought some fish"], "en", 3))
    keys = band_keys(np.stack([one, one]), np.array([1, 2], np.uint64))
    assert keys.shape == (2, BANDS)
    assert not set(keys[0].tolist()) & set(keys[1].tolist())
    assert len(set(keys[0].tolist())) == BANDS, "nor have two places of one text"


def test_signatures_are_those_of_yesterday() -> None:
    """They lie in tables, which another version of numpy must not compute otherwise."""
    one = signature(shingles(["The quick brown fox jumps over the lazy dog."], "en", 3))
    assert one.shape == (PLACES,)
    assert bytes(one[:8]).hex() == "89b5ac526a2e99be"


def test_case_punctuation_width_and_tags_are_no_difference() -> None:
    assert tokens("[sigh] I'm　really TIRED, aren't you?", "en") == ["i'm", "really", "tired", "aren't", "you"]
    assert tokens("我真的很累，[laughter]Ｏｋ吗？", "zh") == ["我", "真", "的", "很", "累", "ok", "吗"]


def test_ngrams_are_in_order_and_a_short_text_is_one_shingle() -> None:
    a, b = ngrams(tokens("one two three four", "en"), 2), ngrams(tokens("two one three four", "en"), 2)
    assert len(a) == len(b) == 3
    assert a[2] == b[2] and a[0] != b[0], "the order of words counts"
    assert len(ngrams(tokens("one two", "en"), 3)) == 0
    assert len(shingles(["one two", ""], "en", 3)) == 1
    assert len(shingles(["..."], "en", 3)) == len(shingles([], "en", 3)) == 0
    twice = shingles(["one two three", "one two three"], "en", 3)
    assert len(twice) == 1
