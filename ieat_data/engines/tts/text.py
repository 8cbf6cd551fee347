"""Splits a text to be spoken into pieces at sentence ends, and each piece into runs of one script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

Language = Literal["en", "zh"]

_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
_LATIN = r"[A-Za-z\u00c0-\u024f]"
# the script that is foreign in a text of the language; digits and punctuation belong to the language
_FOREIGN: dict[Language, re.Pattern[str]] = {
    "zh": re.compile(rf"{_LATIN}+(?:[ '’&-]+{_LATIN}+)*"),
    "en": re.compile(rf"{_HAN}+(?:[，。！？、；：\s]*{_HAN}+)*"),
}
# symbols, their modifiers and joiners, private and unassigned characters
_UNSPOKEN = frozenset({"So", "Sk", "Cf", "Co", "Cn", "Cs"})
_OTHER: dict[Language, Language] = {"zh": "en", "en": "zh"}
# a sentence, its end marks, and the quotes or brackets that close after them
_SENTENCE = re.compile(r"[^.!?。！？；]*(?:[.!?。！？；]+[\"'”’）)」』]*(?=\s|$|[^\x00-\x7f])|[.!?。！？；]+|$)")
_CLAUSE = re.compile(r"[^,，、:：;；]*(?:[,，、:：;；]+|$)")


def runs(text: str, language: Language) -> list[tuple[Language, str]]:
    """Return (language, text) of each run of one script, in order; joined they give `text`."""
    result: list[tuple[Language, str]] = []
    at = 0
    for match in _FOREIGN[language].finditer(text):
        if match.start() > at:
            result.append((language, text[at : match.start()]))
        result.append((_OTHER[language], match[0]))
        at = match.end()
    if at < len(text):
        result.append((language, text[at:]))
    return result


def speakable(text: str) -> str:
    """Return `text` without what espeak-ng would spell out by name: emoji, pictographs, invisible characters."""
    return "".join(" " if c > "\u1fff" and unicodedata.category(c) in _UNSPOKEN else c for c in text)


def pieces(text: str, limit: int) -> list[str]:
    """Split `text` into pieces of whole sentences, at most `limit` characters long.

    A longer sentence is cut at its clauses, a longer clause at spaces or, as a last resort, anywhere.
    """
    packed: list[str] = []
    for unit in _units(" ".join(text.split()), limit):
        if packed and len((packed[-1] + unit).strip()) <= limit:
            packed[-1] += unit
        else:
            packed.append(unit)
    return [p.strip() for p in packed if p.strip()]


def _units(text: str, limit: int) -> Iterator[str]:
    for sentence in _matches(_SENTENCE, text):
        if len(sentence) <= limit:
            yield sentence
            continue
        for clause in _matches(_CLAUSE, sentence):
            while len(clause) > limit:
                cut = clause.rfind(" ", 1, limit) + 1 or limit
                yield clause[:cut]
                clause = clause[cut:]
            yield clause


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return (m[0] for m in pattern.finditer(text) if m[0])
