"""Whether a clip says all of its text and nothing else: cut, added and doubled words, and those of the prompt."""

from __future__ import annotations

import pytest

from ieat_data.checks.roundtrip import CHECKS, RoundTrip, fault
from ieat_data.checks.speech import error_rate

PROMPT = {"en": "I hope you will do even better than I did.", "zh": "希望你以后能够做的比我还好呦。"}
EN = (
    "My sister moved to another city last month, and since then the house has felt so quiet without her singing that I "
    "leave the radio on all day."
)
ZH = "我和男朋友在一起五年，昨天晚上他忽然说要分手，我一个人在江边走了很久很久，心里空空的，不知道该怎么办。"
W = EN.split()
# (reason, language, heard of the clip)
BAD = [
    ("prompt_words", "en", f"Better than I did. {EN}"),
    ("prompt_words", "en", f"Did. {EN}"),
    ("prompt_words", "en", f"{' '.join(W[:14])} will do even better {' '.join(W[14:])}"),
    ("prompt_words", "zh", f"还好呦，{ZH}"),
    ("prompt_words", "zh", f"{ZH}希望你以后能够"),
    ("words_added", "en", f"Certainly, here goes. {EN}"),
    ("words_added", "en", f"{EN} Bananas."),
    ("words_added", "zh", f"好的没问题，{ZH}"),
    ("words_cut", "en", " ".join(W[4:])),
    ("words_cut", "en", " ".join(W[2:])),
    ("words_cut", "en", " ".join(W[:-3])),
    ("words_cut", "en", " ".join(W[:-1])),
    ("words_cut", "en", " ".join(W[:9] + W[13:])),
    ("words_cut", "zh", ZH[3:]),
    ("words_cut", "zh", ZH[:-4]),
    ("words_cut", "zh", ZH[:12] + ZH[18:]),
    ("doubled_phrase", "en", f"{EN} {' '.join(W[-4:])}"),
    ("doubled_phrase", "en", " ".join(W[:10] + W[8:])),
    ("doubled_phrase", "zh", ZH[:8] + ZH),
    ("doubled_phrase", "zh", f"{ZH}不知道该怎么办。"),
]
# slips of the recognition: one word for another, a filler, other spellings of a number
GOOD = [
    ("en", EN, EN.replace("city", "sitting").replace("radio", "ready oh")),
    ("en", "So I told him no.", "I told him no."),
    ("en", "I have 2 dogs and no cat.", "I've two dogs and no cat. Yeah."),
    ("en", "It went on and on and on.", "It went on and on and on."),
    ("zh", ZH, ZH.replace("江边", "将变").replace("分手", "粉首")),
    ("zh", "我等了20分钟呢。", "我等了二十分钟"),
    ("zh", "别急，别急，慢慢来。", "别急别急慢慢来"),
]


@pytest.mark.parametrize(("reason", "language", "heard"), BAD)
def test_a_clip_that_does_not_say_its_text_is_found_however_small_the_error(
    reason: str, language: str, heard: str
) -> None:
    text = EN if language == "en" else ZH
    assert fault(RoundTrip(text, heard, language, PROMPT[language])) == reason
    assert error_rate(text, heard, language) < 0.3, "the limit of the error rate lets it pass"


@pytest.mark.parametrize(("language", "text", "heard"), GOOD)
def test_what_an_asr_mishears_is_no_fault_of_the_clip(language: str, text: str, heard: str) -> None:
    assert fault(RoundTrip(text, heard, language, PROMPT[language])) is None


def test_each_check_is_tried_in_both_languages() -> None:
    assert {(reason, language) for reason, language, _ in BAD} == {(c.code, x) for c in CHECKS for x in ("en", "zh")}


def test_words_of_the_prompt_that_the_text_has_too_are_no_leak() -> None:
    assert fault(RoundTrip("Better than I did, he said.", "Better than I did, he said.", "en", PROMPT["en"])) is None


def test_nothing_in_common_is_left_to_the_error_rate() -> None:
    assert fault(RoundTrip("Good morning, everybody.", "Rain.", "en")) is None
    assert fault(RoundTrip("Good morning, everybody.", "", "en")) is None


def test_the_users_own_checks_run_last() -> None:
    from ieat_data.checks.base import Check

    own = (Check[RoundTrip]("whispered", lambda clip: "psst" in clip.heard.lower(), "is whispered"),)
    assert fault(RoundTrip("Psst, come here.", "Psst, come here.", "en"), own) == "whispered"
