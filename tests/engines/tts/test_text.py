from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieat_data.engines.tts.text import Language, pieces, runs, speakable

mixed = st.text(alphabet="ab Zé'’-.,!?;：。，！我们今天 3\n\t\"”", max_size=120)


def test_words_of_the_other_script_stand_alone() -> None:
    assert runs("我用iPhone 15给CEO发了email。", "zh") == [
        ("zh", "我用"),
        ("en", "iPhone"),
        ("zh", " 15给"),
        ("en", "CEO"),
        ("zh", "发了"),
        ("en", "email"),
        ("zh", "。"),
    ]
    assert runs("My friend 小明，小红 left.", "en") == [("en", "My friend "), ("zh", "小明，小红"), ("en", " left.")]
    assert runs("it's all one run", "zh") == [("en", "it's all one run")]
    assert runs("", "en") == []


def test_emoji_are_not_read_out() -> None:
    assert speakable("我🙂👩‍👩‍👧开心♥ at 20°C, “naïve” … 3,50 € a→b").split() == [
        "我",
        "开心",
        "at",
        "20°C,",
        "“naïve”",
        "…",
        "3,50",
        "€",
        "a→b",
    ]


@given(mixed, st.sampled_from(["en", "zh"]))
def test_runs_lose_nothing(text: str, language: Language) -> None:
    assert "".join(run for _, run in runs(text, language)) == text


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("One. Two! Three?", 9, ["One. Two!", "Three?"]),
        ("一。二！三？", 4, ["一。二！", "三？"]),
        ('He said "no." Then he left.', 15, ['He said "no."', "Then he left."]),
        ("It costs 3.50 euros. Yes.", 20, ["It costs 3.50 euros.", "Yes."]),
        ("one two three four", 9, ["one two", "three", "four"]),
        ("一二三四五六", 4, ["一二三四", "五六"]),
        ("a, b, c", 4, ["a,", "b, c"]),
        ("  ", 5, []),
        ("...", 5, ["..."]),
    ],
)
def test_pieces_end_where_sentences_do(text: str, limit: int, expected: list[str]) -> None:
    assert pieces(text, limit) == expected


@given(mixed, st.integers(1, 40))
def test_pieces_are_short_and_lose_nothing(text: str, limit: int) -> None:
    made = pieces(text, limit)
    assert all(0 < len(p) <= limit for p in made)
    assert "".join("".join(made).split()) == "".join(text.split())
