"""A quotation of the user's words for a thought: a few clauses, without signs that mean something to a template."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

# what a thinking model restates in its first sentence: words (en), characters (zh)
MOST = {"en": 16, "zh": 24}
# a greeting or an interjection alone restates nothing: the next clause is taken too, where there is room
_ENOUGH = {"en": 4, "zh": 6}
_TAG = re.compile(r"<[^<>]{0,80}>|\[[^\[\]]{0,40}\]|[(（][^()（）]{0,40}[)）]|/(?:no_)?think\b")
# marks of templates and markup, brackets, and quotation marks: the quotation itself stands between such
_DROPPED = re.compile(r"[<>|\[\]{}*#_`~^\\\"“”„‟«»‹›「」『』〈〉《》＂()（）【】]")
_SINGLE_QUOTE = re.compile(r"(?<!\w)['‘’]|['‘’](?!\w)")  # an apostrophe stands inside a word
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "So"})  # control, bidi, private use, emojis, U+FFFD
_CLAUSES = {
    "en": re.compile(r"(?<=[,;:.!?…])\s+|\s*[—–]+\s*|\s+-+\s+"),
    "zh": re.compile(r"(?<=[，,。！!？?；;：:…])\s*|\s*—+\s*"),
}
# an overlong clause is cut before one of these, as late as fits
_BEFORE = {
    "en": re.compile(r"(?:and|but|or|because|so|when|while|that|which|who|where|if|since|after|before|until)", re.I),
    "zh": re.compile(r"因为|所以|但是|可是|不过|然后|而且|如果|结果|却|又|就"),
}
_END = ",;:.…，。；：、—– -"
_GAP = {"en": " ", "zh": ""}


def quotation(text: str, language: str, control: Iterable[str] = ()) -> str:
    """Return the beginning of what a user said, cut at a clause end, to be put between quotation marks.

    A question mark or an exclamation mark at its end stays; a text without words gives an empty string.

    Args:
        text: the transcript.
        language: `en` or `zh`.
        control: texts that mean something to the model's template.
    """
    cleaned = _cleaned(text, list(control))
    clauses = [c for c in _CLAUSES[language].split(cleaned) if any(x.isalnum() for x in c)]
    taken: list[str] = []
    for clause in clauses:
        if taken and _length([*taken, clause], language) > MOST[language]:
            break
        taken.append(clause)
    if _length(taken[:1], language) > MOST[language]:
        return _shortened(taken[0], language)
    if len(taken) < len(clauses) and _length(taken, language) < _ENOUGH[language]:
        return _shortened(_GAP[language].join([*taken, clauses[len(taken)]]), language)
    return _GAP[language].join(taken).rstrip(_END)


def _cleaned(text: str, control: Sequence[str]) -> str:
    before = None
    while before != text:  # what is taken out may bring the two halves of another one together
        before = text
        text = _TAG.sub(" ", text)
        for string in control:
            text = text.replace(string, " ")
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _UNSEEN)
    text = _SINGLE_QUOTE.sub("", _DROPPED.sub("", text))
    return " ".join(text.split())


def _length(clauses: Sequence[str], language: str) -> int:
    joined = _GAP[language].join(clauses)
    return len(joined.split()) if language == "en" else len(joined)


def _shortened(clause: str, language: str) -> str:
    """Cut an overlong clause before a conjunction, or else at the limit; the ellipsis says that it goes on."""
    pieces = clause.split() if language == "en" else list(clause)
    most = MOST[language]
    cut = most
    for i in range(most, _ENOUGH[language], -1):
        rest = pieces[i] if language == "en" else clause[i:]
        if _BEFORE[language].fullmatch(rest) if language == "en" else _BEFORE[language].match(rest):
            cut = i
            break
    return _GAP[language].join(pieces[:cut]).rstrip(_END) + "…"
