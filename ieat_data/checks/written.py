"""Is a line that the LLM wrote for a user something that this user would say next?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ieat_data.checks import form
from ieat_data.checks.base import Check, failing
from ieat_data.checks.query import CHECKS as QUERY
from ieat_data.checks.query import Query, QueryLimits
from ieat_data.checks.words import ngrams, overlap, sentences, words

LIMITS = QueryLimits(min_zh=6, max_zh=60, min_en=5, max_en=40)
_COPY = {"en": 6, "zh": 9}  # a run of an example's words (characters) that counts as a copy
_RUN = {"en": 3, "zh": 4}
_I = {
    "en": re.compile(r"\b(?:i|i'm|i've|i'd|i'll|my|me|mine|myself|we|we're|we've|our|us)\b"),
    "zh": re.compile(r"[我咱俺]"),
}
_YOU = {"en": re.compile(r"\b(?:you|you're|your|you've|you'll)\b"), "zh": re.compile(r"[你您]")}
_FRIEND = re.compile(
    r"^(?:oh,? |wow,? |well,? )?(?:i'm|i am)(?: so| really| very)? "
    r"(?:sorry to hear|glad to hear|happy for you|proud of you)"
    r"|^(?:congratulations|that must (?:be|have)|you must (?:be|feel|have)|it sounds like|that sounds)"
    r"|^(?:听起来|恭喜|别难过|别担心|别害怕|我(?:能|很|完全)?理解你|真为你|我为你)"
)
_TOLD = re.compile(r"\b(?:the person|the user|the friend|the speaker|says?:|said:)|这个人|用户|朋友说：|接着说")


@dataclass(frozen=True)
class Line(Query):
    """A written line, what the user said before it, and the lines of the worked examples."""

    limits: QueryLimits = LIMITS
    before: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        return self.text.lower().replace("\u2019", "'")


def not_the_user(x: Line) -> bool:
    """Tell whether the text answers like the friend, speaks to somebody else, or tells of the person."""
    spoken_to = _YOU[x.language].search(x.plain) and not _I[x.language].search(x.plain)
    return bool(spoken_to or _FRIEND.search(x.plain) or _TOLD.search(x.plain))


def repeats_talk(x: Line) -> bool:
    """Tell whether the text says again what the user has said already, or the same sentence twice."""
    mine, theirs = _runs(x.text, x.language, _RUN), {r for b in x.before for r in _runs(b, x.language, _RUN)}
    said = [tuple(words(s, x.language)) for s in sentences(x.text)]
    return len(set(said)) < len(said) or (bool(mine) and sum(r in theirs for r in mine) > 0.5 * len(mine))


def other_matter(x: Line) -> bool:
    """Tell whether the text shares no word of content with what the user said before: another story."""
    return bool(x.before) and not overlap(x.text, x.before, x.language)


def copied_example(x: Line) -> bool:
    """Tell whether the text copies words from a worked example."""
    theirs = {r for e in x.examples for r in _runs(e, x.language, _COPY)}
    return any(r in theirs for r in _runs(x.text, x.language, _COPY))


def too_many_sentences(x: Line) -> bool:
    """Tell whether the text has more than three sentences."""
    return len(sentences(x.text)) > 3


def _runs(text: str, language: str, length: dict[str, int]) -> list[tuple[str, ...]]:
    return list(ngrams(words(text, language), length[language]))


CHECKS: tuple[Check[Line], ...] = (
    *(Check[Line](c.code, c.fails, c.says, c.version) for c in QUERY),
    Check(
        "not_the_user", not_the_user, "is no line of the user's about themselves: a friend answers, or tells of them"
    ),
    Check("repeats_talk", repeats_talk, "says again what the user has said already, or the same sentence twice"),
    Check("other_matter", other_matter, "shares no word of content with what the user said before: another story"),
    Check("copied_example", copied_example, "copies words from a worked example"),
    Check("too_many_sentences", too_many_sentences, "has more than three sentences"),
)

_QUOTED = re.compile(r'^["“”「『]+(.*?)["“”」』]+$', re.DOTALL)


def cleaned(answer: str) -> str:
    """Return an answer as one line, without quotation marks around the whole."""
    line = form.one_line(answer)
    quoted = _QUOTED.match(line)
    return quoted[1].strip() if quoted and not set('"“”「『') & set(quoted[1]) else line


def check_line(line: Line, own: Sequence[Check[Line]] = ()) -> str | None:
    """Return why a line is not what the user would say next, a code of `CHECKS`; None if it may be."""
    return next(failing((*CHECKS, *own), line), None)
