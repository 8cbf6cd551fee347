"""Does a text repeat words: its own, the user's, the thought's?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ieat_data.checks.base import Said
from ieat_data.checks.words import is_question, ngrams, sentences, unquoted, words

_CLAUSE = re.compile(r"[^,;:.!?，；：。！？…—\n]+")


def loop(s: Said) -> bool:
    """Tell whether a sentence appears twice, or a run of words (5; Chinese: 10 characters) again and again."""
    english = s.language == "en"
    if _twice(s, sentences(s.text), 3 if english else 5):
        return True
    tokens = words(s.text, s.language)
    runs = Counter(ngrams(tokens, 5 if english else 10))
    # a long thought may return to its subject
    return max(runs.values(), default=0) >= max(3, len(tokens) // 50)


def answer_loop(s: Said) -> bool:
    """Tell whether `loop` applies, or a long clause appears twice: an answer is short."""
    return loop(s) or _twice(s, _CLAUSE.findall(s.text), 7 if s.language == "en" else 9)


def _twice(s: Said, parts: Sequence[str], least: int) -> bool:
    said = Counter(tuple(words(x, s.language)) for x in parts)
    return any(n > 1 and len(x) >= least for x, n in said.items())


def repeats_user(s: Said) -> bool:
    """Tell whether most of the answer's runs of words are the user's own; an answer to a question may use its words."""
    if s.task in ("respond", "empathy") and is_question(s.heard[-1]) and not is_question(s.text):
        return False
    mine, theirs = _runs(s, s.text), {g for h in s.heard for g in _runs(s, h)}
    return bool(mine) and sum(g in theirs for g in mine) > 0.5 * len(mine)


def repeats_think(s: Said) -> bool:
    """Tell whether most of the answer's runs of words are the thought's, and not the user's.

    (In the other tasks, thought and answer may word the cause alike.) A draft that the thought quotes may be spoken.
    """
    if s.task != "empathy":
        return False
    mine, theirs = _runs(s, s.text), {g for h in s.heard for g in _runs(s, h)}
    thought = set(_runs(s, unquoted(s.thought)))
    return sum(g in thought and g not in theirs for g in mine) > 0.4 * len(mine)


def _runs(s: Said, text: str) -> list[tuple[str, ...]]:
    """Return the runs of 4 words; in Chinese of 5 characters."""
    return list(ngrams(words(text, s.language), 4 if s.language == "en" else 5))
