"""Which transcripts can be learnt from."""

from __future__ import annotations

import pytest

from ieat_data.checks.pairs import CHECKS, check_text, clean

GOOD = [
    ("The little girl was sitting on the steps, and nobody came.", "en"),
    ("OK.", "en"),
    ("NASA said so.", "en"),
    ("他把门关上了，一句话也没说。", "zh"),
    ("我的iPhone坏了。", "zh"),
]
BAD = [
    ("THE LITTLE GIRL WAS SITTING ON THE STEPS.", "en", "uncased"),
    ("the little girl was sitting on the steps.", "en", "uncased"),
    ("The little girl was sitting on the steps", "en", "unpunctuated"),
    ("他把门关上了 一句话也没说", "zh", "unpunctuated"),
    ("Das kleine Mädchen ist nicht da, und ich bin es auch nicht.", "en", "wrong_language"),
    ("She closed the door.", "zh", "wrong_language"),
    ("", "zh", "wrong_language"),
    ("He closed the d\ufffdor.", "en", "broken_text"),
    ("他把门关上了\ue123。", "zh", "broken_text"),
]


@pytest.mark.parametrize(("text", "language"), GOOD)
def test_good_transcripts_pass(text: str, language: str) -> None:
    assert check_text(text, language) is None


@pytest.mark.parametrize(("text", "language", "reason"), BAD)
def test_bad_transcripts_are_told_apart(text: str, language: str, reason: str) -> None:
    assert check_text(text, language) == reason


def test_each_check_has_a_bad_example() -> None:
    assert {check.code for check in CHECKS} == {reason for *_, reason in BAD}


def test_white_space_is_made_plain() -> None:
    assert clean(" W\u200bell,\n\tthen\u3000go. ") == "Well, then go."
