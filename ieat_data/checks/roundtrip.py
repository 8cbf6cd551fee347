"""Does a clip say its text, and nothing else? An error rate alone does not tell: two words of forty are 5 %.

Speech synthesis swallows the first or the last words, says a phrase twice, or speaks words of the prompt that a voice
is cloned from. The text is aligned with what an ASR heard. An ASR that mishears puts one word in place of another: only
words that are missing or added count here. Each check is a function; its name is its reason code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ieat_data.checks.base import Check, failing, first_line
from ieat_data.checks.speech import units
from ieat_data.checks.words import ngrams

_SURE = 3  # units in a row that are the same: there the text has begun, or has not yet ended
# how many missing or added units count: at an end, in the middle
_AT_END, _INSIDE = {"en": 2, "zh": 2}, {"en": 3, "zh": 4}
# what an ASR likes to leave out, or to hear where nothing was said
_FILLERS = frozenset(
    (
        "a",
        "ah",
        "and",
        "but",
        "hey",
        "i",
        "mm",
        "oh",
        "okay",
        "ok",
        "so",
        "the",
        "uh",
        "um",
        "well",
        "yeah",
        "yes",
        "you",
    )
)


class Part(NamedTuple):
    """Units of a text (`said`) and what was `heard` in their place."""

    said: list[str]
    heard: list[str]

    @property
    def added(self) -> int:
        return len(self.heard) - len(self.said)


@dataclass(frozen=True)
class RoundTrip:
    """A text, what an ASR heard of its clip, and the words of the clip that the voice is cloned from (maybe none)."""

    text: str
    heard: str
    language: str
    prompt: str = ""

    @cached_property
    def said_units(self) -> list[str]:
        return units(self.text, self.language)

    @cached_property
    def heard_units(self) -> list[str]:
        return units(self.heard, self.language)

    @cached_property
    def parts(self) -> tuple[Part, Part, list[Part]]:
        """Return the beginning and the end, each up to where text and clip surely agree, and what differs between.

        Without such a place nothing is said of the clip: its error rate is large anyway.
        """
        from rapidfuzz.distance import Levenshtein

        said, heard = self.said_units, self.heard_units
        edits = list(Levenshtein.opcodes(said, heard))
        least = max(1, min(_SURE, len(said) // 2))
        same = [e for e in edits if e.tag == "equal" and e.src_end - e.src_start >= least]
        if not same:
            return Part([], []), Part([], []), []
        first, last = same[0], same[-1]
        inside = [
            Part(said[e.src_start : e.src_end], heard[e.dest_start : e.dest_end])
            for e in edits
            if e.tag != "equal" and first.src_end <= e.src_start and e.src_end <= last.src_start
        ]
        head = Part(said[: first.src_start], heard[: first.dest_start])
        return head, Part(said[last.src_end :], heard[last.dest_end :]), inside

    @cached_property
    def added(self) -> list[tuple[list[str], bool]]:
        """Return the runs of units that are only in the clip, and for each whether it is at an end."""
        head, tail, inside = self.parts
        runs = [(head.heard[: max(head.added, 0)], True), (tail.heard[len(tail.heard) - max(tail.added, 0) :], True)]
        return [(run, end) for run, end in (*runs, *((p.heard, False) for p in inside if not p.said)) if run]


def prompt_words(clip: RoundTrip) -> bool:
    """The clip holds words of the prompt that the voice is cloned from."""
    prompt = units(clip.prompt, clip.language)
    if any(run in (prompt[: len(run)], prompt[-len(run) :]) for run, end in clip.added if end):
        return True
    least = _INSIDE[clip.language]
    theirs = set(ngrams(prompt, least)) - set(ngrams(clip.said_units, least))
    return any(not theirs.isdisjoint(ngrams(run, least)) for run, _ in clip.added)


def doubled_phrase(clip: RoundTrip) -> bool:
    """The clip says a phrase twice in a row that the text has once."""
    heard, said = clip.heard_units, clip.said_units
    return any(
        heard[i : i + n] == heard[i + n : i + 2 * n] and not _holds(said, heard[i : i + 2 * n])
        for n in range(2, len(heard) // 2 + 1)
        for i in range(len(heard) - 2 * n + 1)
    )


def words_cut(clip: RoundTrip) -> bool:
    """The clip lacks the first or last words of the text, or a phrase of it."""
    head, tail, inside = clip.parts
    least = _AT_END[clip.language]
    for end in (head, tail):
        one = clip.language == "en" and not end.heard and not _FILLERS.issuperset(end.said)
        if -end.added >= least or one:
            return True
    return any(-part.added >= _INSIDE[clip.language] for part in inside)


def words_added(clip: RoundTrip) -> bool:
    """The clip says words before, after or within the text that are not in it."""
    for run, end in clip.added:
        one = clip.language == "en" and end and run[0] not in _FILLERS
        if one or len(run) >= (_AT_END if end else _INSIDE)[clip.language]:
            return True
    return False


def _holds(units: Sequence[str], run: Sequence[str]) -> bool:
    return any(units[i : i + len(run)] == run for i in range(len(units) - len(run) + 1))


CHECKS: tuple[Check[RoundTrip], ...] = tuple(
    Check(f.__name__, f, first_line(f)) for f in (prompt_words, doubled_phrase, words_cut, words_added)
)


def fault(clip: RoundTrip, own: Sequence[Check[RoundTrip]] = ()) -> str | None:
    """Return the reason code of the first check that the clip fails; the user's `own` checks run last."""
    return next(failing((*CHECKS, *own), clip), None)
