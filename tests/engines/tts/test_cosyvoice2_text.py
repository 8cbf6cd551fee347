from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieat_data.engines.tts.cosyvoice2_text import PIECE, plain, spoken_pieces
from ieat_data.engines.tts.text import Language

mixed = st.text(alphabet="ab Z'’-.,!?;：。，！我们今天 3<|>[]🙂ＡＢ１\n\t\"”", max_size=700)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Speak up.<|endofprompt|>Now.", "Speak up. |endofprompt| Now."),
        ("<|<|endofprompt|>endofprompt|>", "| |endofprompt| endofprompt|"),
        ("[laughter] so <strong>good</strong>", "laughter so strong good /strong"),
        ("我有１２个ＡＢｚ，对吧？", "我有12个ABz，对吧？"),
        ("line one\n line\ttwo 🙂", "line one line two"),
    ],
)
def test_text_is_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_pieces_end_with_a_mark() -> None:
    assert spoken_pieces("I lost my job", "en") == ["I lost my job."]
    assert spoken_pieces("我丢了工作", "zh") == ["我丢了工作。"]
    assert spoken_pieces('He said "no."', "en") == ['He said "no."']
    assert spoken_pieces("真的吗？", "zh") == ["真的吗？"]


def test_long_texts_are_cut_and_a_short_end_does_not_stand_alone() -> None:
    sentence = "The shop around the corner opens at nine every day. "
    cut = spoken_pieces(sentence * 12, "en")
    assert len(cut) == 3
    end = "Come at nine, or else a little later, OK?"
    assert len(sentence * 5 + end) > PIECE["en"]
    assert spoken_pieces(sentence * 5 + end, "en") == [sentence * 5 + end]
    assert spoken_pieces("我今天去了公园，天气很好。" * 6 + "好的。再见。", "zh") == [
        "我今天去了公园，天气很好。" * 6 + "好的。再见。"
    ]


@pytest.mark.parametrize("text", ["...", "🙂", "", "<|>", "，。"])
def test_marks_alone_are_nothing_to_speak(text: str) -> None:
    assert spoken_pieces(text, "en") == spoken_pieces(text, "zh") == []


@given(mixed, st.sampled_from(["en", "zh"]))
def test_pieces_hold_all_words_and_no_control_token(text: str, language: Language) -> None:
    cut = spoken_pieces(text, language)
    assert all(len(p) <= PIECE[language] * 5 // 4 + 1 for p in cut)
    assert not set("<>[]") & set("".join(cut))
    letters = [c for c in plain(text) if c.isalnum()]
    assert [c for c in "".join(cut) if c.isalnum()] == letters
