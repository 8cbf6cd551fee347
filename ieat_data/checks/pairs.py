"""Is a transcript good training text for its clip? Each check is one function; its name is its reason code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ieat_data.checks.base import Check, Text, failing, named
from ieat_data.checks.language import is_language
from ieat_data.data.characters import broken, mended

_MIN_LETTERS = 8  # a shorter text may well be all capitals: "OK."
_SENTENCE_END = re.compile(r"[.?!…。？！]")


def clean(text: str) -> str:
    """Return the transcript as it is trained on: nothing invisible, runs of white space as one space."""
    return " ".join(mended(text).split())


def wrong_language(text: str, language: str) -> bool:
    """The text is in another language or script."""
    return not is_language(text, language)


def uncased(text: str, language: str) -> bool:
    """The text has only capitals or none: the corpus flattened its texts for ASR."""
    letters = [c for c in text if c.isalpha()]
    if language != "en" or len(letters) < _MIN_LETTERS:
        return False
    capitals = sum(c.isupper() for c in letters)
    return capitals in (0, len(letters))


def unpunctuated(text: str, language: str) -> bool:
    """The text has no end of a sentence."""
    return _SENTENCE_END.search(text) is None


def broken_text(text: str, language: str) -> bool:
    """The text holds broken, private or direction characters."""
    return broken(text)


CHECKS = named((broken_text, wrong_language, uncased, unpunctuated))


def check_text(text: str, language: str, own: Sequence[Check[Text]] = ()) -> str | None:
    """Return the reason code of the first check that the text fails; the user's `own` checks run last."""
    return next(failing((*CHECKS, *own), Text(text, language)), None)
