from __future__ import annotations

import pytest

from ieat_data.diff import differences, word_diff


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("I am glad.", "I am sad.", "I am [-glad-]{+sad+}."),
        ("今天我很开心。", "今天我很难过。", "今天我很[-开心-]{+难过+}。"),
        ("", "new", "{+new+}"),
        ("old", "", "[-old-]"),
        ("a b", "a b c", "a b{+ c+}"),
        ("same", "same", ""),
    ],
)
def test_words_that_changed(before: str, after: str, shown: str) -> None:
    assert word_diff(before, after) == shown


def test_only_the_surroundings_of_a_change_are_shown_on_one_line() -> None:
    words = [f"w{i}" for i in range(200)]
    changed = [*words]
    changed[100] = "other\nline"
    shown = word_diff(" ".join(words), " ".join(changed))
    assert "[-w100-]" in shown
    assert "w99" in shown
    assert "w50 " not in shown
    assert "\n" not in shown


def test_long_texts_are_no_burden() -> None:
    """Matching words one by one would take minutes here."""
    assert len(word_diff("a " * 20_000, "b " * 20_000)) < 500
    start, end = "so it went " * 5_000, "and on " * 5_000
    assert word_diff(f"{start}well {end}", f"{start}badly {end}").count("[-well-]{+badly+}") == 1


def test_keys_that_changed() -> None:
    before = {"a": 1, "b": {"c": [1, 2], "d": "x" * 80}, "same": [1]}
    now = {"a": 2, "b": {"c": [1, 3], "d": "y" * 80}, "same": [1], "new": True}
    assert list(differences(before, now)) == ["a 1 → 2", "b.c.1 2 → 3", "b.d", "new None → True"]
    assert list(differences(now, now)) == []
