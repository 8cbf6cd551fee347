"""Near-duplicates at any size: found as by comparing all with all, the same however the rows come in."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from ieat_data.checks.shingles import band_keys, number, shingles, signature, similarity
from ieat_data.stages.gates import clusters
from ieat_data.stages.gates.clusters import Clusters

WORDS = [f"{a}{b}" for a in "bcdfghjklm" for b in ("an", "el", "ir", "os", "um")]


def corpus(n: int, seed: int = 0) -> dict[str, str]:
    """Random texts by id; a third of them have a word or two other than an earlier one."""
    draw = random.Random(seed)
    texts: list[list[str]] = []
    for _ in range(n):
        if texts and draw.random() < 0.33:
            text = list(draw.choice(texts))
            for _ in range(draw.randrange(3)):
                text[draw.randrange(len(text))] = draw.choice(WORDS)
        else:
            text = draw.choices(WORDS, k=30)
        texts.append(text)
    return {f"{draw.getrandbits(128):032x}": " ".join(t) for t in texts}


def run(folder: Path, texts: dict[str, str], threshold: float = 0.8, size: int = 7) -> dict[str, str]:
    """Each near-duplicate and the id it is one of."""
    folder.mkdir()
    made = Clusters(folder, [threshold])
    ids = list(texts)
    for i in range(0, len(ids), size):
        some = ids[i : i + size]
        signatures = np.stack([signature(shingles([texts[x]], "en", 3)) for x in some])
        made.add(some, [(np.ones(len(some), bool), signatures, np.zeros(len(some), np.uint64))])
    found = list(made.duplicates())
    assert [d.row for d in found] == sorted(d.row for d in found), "in the order in which they came"
    assert all(ids[d.of] == made.name(d.of) for d in found)
    return {ids[d.row]: ids[d.of] for d in found}


def one_by_one(texts: dict[str, str], threshold: float = 0.8) -> dict[str, str]:
    """The same by comparing every text with all that stay, from the smallest id on."""
    signatures = {x: signature(shingles([t], "en", 3)) for x, t in texts.items()}
    keys = {x: set(band_keys(s[None], np.zeros(1, np.uint64))[0].tolist()) for x, s in signatures.items()}
    kept: list[str] = []
    gone: dict[str, str] = {}
    for x in sorted(texts):
        like = [y for y in kept if keys[x] & keys[y] and similarity(signatures[x], signatures[y]) >= threshold]
        if like:
            gone[x] = like[0]
        else:
            kept.append(x)
    return gone


def test_as_if_all_were_compared_with_all(tmp_path: Path) -> None:
    texts = corpus(600)
    found, expected = run(tmp_path / "s", texts), one_by_one(texts)
    assert len(expected) > 80
    # in a bucket a text is compared with the smallest and with its neighbour, not with all
    missed = set(expected) - set(found)
    assert len(missed) <= 0.02 * len(expected)
    assert not set(found) - set(expected)
    assert all(expected[x] == y for x, y in found.items() if y not in missed)


def test_the_order_and_the_shards_are_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = corpus(300, 3)
    first = run(tmp_path / "a", texts)
    shuffled = list(texts.items())
    random.Random(1).shuffle(shuffled)
    monkeypatch.setattr(clusters, "_BUFFERED", 100)  # written in many pieces
    monkeypatch.setattr(clusters, "_PAIRS", 20)
    monkeypatch.setattr(clusters, "_CHUNK", 8)
    assert run(tmp_path / "b", dict(shuffled), size=50) == first


def test_of_many_equal_texts_the_smallest_id_stays(tmp_path: Path) -> None:
    ids = [f"{random.Random(i).getrandbits(128):032x}" for i in range(5000)]
    found = run(tmp_path / "s", dict.fromkeys(ids, "the very same words are said again and again"), size=512)
    assert set(found.values()) == {min(ids)}
    assert set(found) == set(ids) - {min(ids)}


def test_what_is_like_a_row_that_goes_stays(tmp_path: Path) -> None:
    """A chain: the second goes with the first; the third is like the second alone."""
    words = [f"w{i}" for i in range(60)]
    first, second, third = (" ".join(words[i : i + 54]) for i in (0, 3, 6))
    a, b, c = "0" * 32, "1" * 32, "2" * 32
    pair = [
        similarity(signature(shingles([x], "en", 3)), signature(shingles([y], "en", 3)))
        for x, y in ((first, second), (second, third), (first, third))
    ]
    threshold = float(min(pair[0], pair[1]))
    assert pair[2] < threshold
    assert run(tmp_path / "s", {a: first, b: second, c: third}, threshold) == {b: a}


def test_kinds_of_text_and_scopes_are_apart(tmp_path: Path) -> None:
    same = signature(shingles(["the very same words are said here"], "en", 3))
    other = signature(shingles(["nothing of this is like the former"], "en", 3))
    made = Clusters(tmp_path, [0.9, 0.8])
    ids = [f"{i:032x}" for i in range(4)]
    both, scope = np.ones(4, bool), np.array([number(x) for x in ("en", "en", "zh", "en")], np.uint64)
    nothing = (np.zeros(4, bool), np.empty((0, 96), np.uint8), np.empty(0, np.uint64))
    made.add(ids, [(both, np.stack([same, other, same, same]), scope), nothing])
    (found,) = made.duplicates()
    assert (found.row, found.of, found.kind, found.similarity) == (3, 0, 0, 1.0)


def test_nothing_at_all(tmp_path: Path) -> None:
    assert list(Clusters(tmp_path, [0.8]).duplicates()) == []
