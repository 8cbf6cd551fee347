"""What an ASR heard is a user's words, or it is told why not."""

from __future__ import annotations

import pytest

from ieat_data.checks.heard import CHECKS, Heard, fault

SURE = {"no_speech_prob": 0.05, "compression_ratio": 1.2, "avg_logprob": -0.3}
EN = "I have been waiting for the bus for an hour, and it is still raining."
ZH = "我等公交车等了一个小时，雨还在下。"
BAD = [
    ("control_text", "en", EN + " <|im_end|>"),
    ("control_text", "zh", ZH + " /no_think"),
    ("broken_text", "en", EN.replace("bus", "b\ufffds")),
    ("broken_text", "zh", ZH + "\ue000"),
    ("invented", "en", EN + " Thanks for watching!"),
    ("invented", "en", EN + " Subtitles by the Amara.org community"),
    ("invented", "zh", ZH + "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目"),
    ("invented", "zh", ZH + "字幕由Amara.org社区提供"),
    ("code", "en", EN + " see main.py"),
    ("code", "zh", ZH + "```"),
    ("markup", "en", EN + " <b>oh</b>"),
    ("markup", "zh", ZH + "\\n"),
    ("url", "en", EN + " www.bus.com"),
    ("url", "zh", ZH + "https:好"),
    ("table", "en", EN + " | a | b |"),
    ("table", "zh", ZH + "----"),
    ("words_cut", "en", EN.partition("waiting ")[2]),
    ("words_cut", "zh", ZH[6:]),
]


@pytest.mark.parametrize(("reason", "language", "text"), BAD)
def test_what_is_no_words_of_a_user_is_told_apart(reason: str, language: str, text: str) -> None:
    assert fault(Heard(text, language, EN if language == "en" else ZH, SURE)) == reason


def test_each_check_is_tried_in_both_languages() -> None:
    assert {(reason, language) for reason, language, _ in BAD} == {(c.code, x) for c in CHECKS for x in ("en", "zh")}


@pytest.mark.parametrize(
    "details", [{**SURE, "no_speech_prob": 0.71}, {**SURE, "compression_ratio": 2.6}, {"no_speech_prob": 0.9}]
)
def test_whispers_own_measures_betray_what_it_invented(details: dict[str, float]) -> None:
    assert fault(Heard(EN, "en", EN, details)) == "invented"


@pytest.mark.parametrize("details", [SURE, {}])
def test_good_transcripts_pass(details: dict[str, float]) -> None:
    assert fault(Heard(EN, "en", EN.replace("bus", "boss"), details)) is None
    assert fault(Heard(ZH, "zh", ZH, details)) is None
    assert fault(Heard(EN.partition("have ")[2], "en", EN, details)) is None, "the clip begins a little late"
    thanks = "He said thanks for watching the dog."
    assert fault(Heard(thanks, "en", thanks, details)) is None, "the corpus has it too"
