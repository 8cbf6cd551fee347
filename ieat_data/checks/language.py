"""Detects the language of a short text from its script and its commonest words; no model."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

MIN_HAN_SHARE = 0.6  # of characters and Latin words: the rest may be names and loan words
MAX_TRADITIONAL_SHARE = 0.15  # of the Han characters: some count although Simplified has them too (著, 乾)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# the commonest words that carry no topic: hardly any English sentence has none
_ENGLISH = _words(
    """a about after again all always am an and any are as at be because been before but by can can't could did do does
    doesn't don't even for from get go going got had has have he her here him his how i i'd i'll i'm i've if in into is
    isn't it it's its just know like me more most much my never no not now of off on one or our out over please really
    say she should so some that that's the their them then there these they this those time to too up us very was
    we were what what's when where which who why will with won't would yes you you're your"""
)
# the same for other languages in Latin script that web corpora contain
_FOREIGN = _words(
    """der die das und ist nicht ich ein eine mit für auf wie sie wir dem den le la les des une est et je vous nous pas
    que qui pour dans avec sur el los las una es y no por para con como mi tu yo lo del il che di non sono per della è
    het een van niet ik dat zijn voor o os um uma não é você eu com na hoe och att det som jag är inte"""
) - {"no", "die", "den", "on", "me", "is", "an"}
# a title is told as it is written: 《Let It Go》
_TITLE = re.compile(r"《[^》]*》")
_LATIN_WORDS = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:[ ,]+[A-Za-z][A-Za-z'’-]*)*")
_SENTENCE = re.compile(r"[^.!?。！？\n]+")
_LATIN_RUN = re.compile(r"[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@lru_cache(maxsize=1)
def _to_simplified() -> Any:
    from opencc import OpenCC  # loads its dictionaries: only if there is Chinese

    return OpenCC("t2s")


def to_simplified(text: str) -> str:
    """Return `text` with Traditional characters converted to Simplified (OpenCC t2s)."""
    return str(_to_simplified().convert(text))


def _script(letter: str) -> str:
    code = ord(letter)
    if 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x323AF or 0xF900 <= code <= 0xFAFF:
        return "han"
    if 0x3040 <= code <= 0x30FF or 0x31F0 <= code <= 0x31FF:
        return "kana"
    if letter.isascii():
        return "latin"
    name = unicodedata.name(letter, "")
    return "latin" if name.startswith("LATIN ") else name.split(" ", 1)[0].lower() or "unknown"


def script_share(text: str) -> dict[str, float]:
    """Return the share of each script (`latin`, `han`, `kana`, `cyrillic`, …) among the letters; {} without letters."""
    counts = Counter(_script(c) for c in text if c.isalpha())
    total = counts.total()
    return {script: n / total for script, n in counts.items()}


@lru_cache(maxsize=1 << 16)
def _is_traditional(character: str) -> bool:
    return to_simplified(character) != character


def traditional_share(text: str) -> float:
    """Return the share of Han characters in `text` that OpenCC converts to Simplified."""
    han = [c for c in text if c.isalpha() and _script(c) == "han"]
    return sum(map(_is_traditional, han)) / len(han) if han else 0.0


@lru_cache(maxsize=1 << 16)
def _is_only_traditional(character: str) -> bool:
    """Tell whether a character is Traditional and not Simplified as well: GB 2312 holds 著, 乾, 藉, 於."""
    if character == "後":  # in GB 2312 by way of surnames
        return True
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return _is_traditional(character)
    return False


def is_mixed(text: str, language: str, heard: Iterable[str] = ()) -> bool:
    """Tell whether a part of a text is in another language or script, which hardly changes the whole.

    Chinese: a Traditional character; a sentence of two or more Latin words, or a run of three with a common English
    word. English: a sentence in another language that is written in Latin script. What was `heard` may be said again.
    """
    told = " ".join(heard).lower()
    if language == "en":
        return any(
            _is_foreign(sentence) for sentence in _SENTENCE.findall(text) if sentence.strip().lower() not in told
        )
    if any(_is_only_traditional(c) for c in set(text) - set(told) if _script(c) == "han"):
        return True
    text = _TITLE.sub("《》", text)
    for sentence in _SENTENCE.findall(text):
        runs = [run for run in _LATIN_WORDS.findall(sentence) if run.lower() not in told]
        alone = not any(_script(c) == "han" for c in sentence if c.isalpha())
        for words in (_WORD.findall(run.lower()) for run in runs):
            if (alone and len(words) > 1) or len(words) > 4 or (len(words) > 2 and not _ENGLISH.isdisjoint(words)):
                return True
    return False


def _is_foreign(sentence: str) -> bool:
    words = [w.lower().replace("’", "'") for w in _WORD.findall(sentence)]
    foreign = sum(w in _FOREIGN for w in words)
    return foreign > 1 and foreign > sum(w in _ENGLISH for w in words)


def _is_english(text: str) -> bool:
    words = [w.lower().replace("’", "'") for w in _WORD.findall(text)]
    letters = [c for c in text if c.isalpha()]
    if sum(not c.isascii() for c in letters) > 0.1 * len(letters):
        return False  # accents: a name or two at most
    english, foreign = sum(w in _ENGLISH for w in words), sum(w in _FOREIGN for w in words)
    if foreign > english:
        return False
    # two or three words may all be content words ("Good morning!"); a longer text has others
    return len(words) < 4 or english >= max(1, len(words) // 10)


def is_language(text: str, language: str) -> bool:
    """Tell whether `text` is written in `language`: `zh` (Simplified script) or `en`.

    Raises:
        ValueError: any other language.
    """
    if language not in ("zh", "en"):
        raise ValueError(f"no language check for {language!r}: known are 'zh' and 'en'")
    if language == "en":
        return script_share(text).get("latin", 0.0) >= 0.9 and _is_english(text)
    # a Latin word counts as one character: "我想买一部iPhone手机" is Chinese
    share = script_share(_LATIN_RUN.sub("a", text))
    if share.get("han", 0.0) < MIN_HAN_SHARE or share.get("kana", 0.0) > 0.02:
        return False
    return traditional_share(text) <= MAX_TRADITIONAL_SHARE
