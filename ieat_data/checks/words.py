"""Words of a text: English words, Chinese characters, and what two texts have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_EN_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_ZH_CHAR = re.compile(r"[\u3400-\u9fff]|[a-z0-9]+")
_SENTENCE = re.compile(r"[^.!?。！？\n]+")
# apostrophes are straight at this point: a quote opens after a gap and closes before one
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|「[^」]*」|『[^』]*』|‘[^‘]{2,}?'(?![a-z])|(?<![\w'])'.{2,}?'(?![\w'])")
_QUESTION = re.compile(
    r"[?？]|^(?:how|what|when|where|why|who|which|is|are|do|does|did|can|could|would|will|should|have|has)\b"
    r"|什么|怎么|多少|为啥|[吗谁哪几呢]|是不是|能不能|有没有",
    re.I,
)
_STOP_WORDS = """
a an the and or but so if of to in on at for from with by as is are was were be been being am i i'm i've i'll you you're
your yours he she it it's its we they them their his her my me our us this that these those there here what when where
which who how why not no yes do does did done don't didn't have has had can could will would should may might must just
very really too also then than now out up down over about into only even more most some any all because feel feels
feeling felt user voice sounds sound happy sad angry fearful neutral surprised disgusted
"""
_STOP = frozenset(_STOP_WORDS.split())
_ZH_STOP = frozenset(
    "的了是我你他她它们这那有在不就也都和与很到说要会没着吗呢吧啊呀把被让给对为因而且但又还再去来上下个一"
)


def words(text: str, language: str) -> list[str]:
    """Return lower-case words (English), or characters and runs of Latin letters or digits (Chinese)."""
    text = text.lower().replace("\u2019", "'")
    return (_EN_WORD if language == "en" else _ZH_CHAR).findall(text)


def sentences(text: str) -> list[str]:
    """Split a text into sentences."""
    return [s.strip() for s in _SENTENCE.findall(text) if s.strip()]


def unquoted(text: str) -> str:
    """Return a text in lower case, with straight apostrophes, without what it quotes."""
    return _QUOTED.sub(" ", text.lower().replace("\u2019", "'"))


def is_question(text: str) -> bool:
    """Tell whether a text is a question, by its mark or its words: speech recognition often omits the mark."""
    return _QUESTION.search(text.strip()) is not None


def ngrams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """Yield each run of `n` tokens, in order."""
    return zip(*(tokens[i:] for i in range(n)), strict=False)


def content(text: str, language: str) -> set[str]:
    """Return what carries the subject of a text: stems of English content words, pairs of Chinese characters."""
    tokens = words(text, language)
    if language == "en":
        return {_stem(w) for w in tokens if w not in _STOP and len(w) > 2}
    return {a + b for a, b in ngrams(tokens, 2) if a not in _ZH_STOP and b not in _ZH_STOP}


def overlap(text: str, others: Iterable[str], language: str) -> set[str]:
    """Return the content that `text` shares with any of the others."""
    mine = content(text, language)
    return {c for other in others for c in mine & content(other, language)}


def contains(text: str, term: str) -> bool:
    """Tell whether `text` holds `term`: at word boundaries in Latin script, anywhere in Chinese; ignore case."""
    if term.isascii():
        return re.search(rf"(?<![a-z0-9]){re.escape(term.lower())}(?![a-z0-9])", text.lower()) is not None
    return term in text


def _stem(word: str) -> str:
    """Return a crude stem, enough to match "played" with "playing"."""
    word = word.removesuffix("'s")
    for suffix in ("ing", "ied", "ies", "ed", "es", "ly", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
