"""Which items a reviewer looks at: filters, a search in all texts, and pages of a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ieat_data.apps.review.agreement import Decided
from ieat_data.apps.review.catalogue import Item
from ieat_data.decisions.adjudication import disagree

SHOWN = {
    "todo": "To do",
    "untouched": "Decided by no one",
    "mine": "Mine",
    "rejected": "My rejections",
    "disagreed": "Disagreed",
    "changed": "Changed since",
    "all": "All",
}
PAGE = 50  # rows
CUT = 400  # characters of a text that a list shows
_AROUND = 60  # characters of a text before the first hit


@dataclass(frozen=True)
class Filter:
    """What is looked for. Each field narrows; an empty one does not."""

    shown: str = "all"  # of SHOWN
    task: str = ""
    language: str = ""
    reason: str = ""  # of a rejection that the reviewer may see
    q: str = ""  # words, all of which an item has

    def __post_init__(self) -> None:
        if self.shown not in SHOWN:
            raise ValueError(f"shown: must be one of {', '.join(SHOWN)}")

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Filter:
        """Return the filter that a request names."""
        given = {f.name: asked[f.name] for f in fields(cls) if asked.get(f.name)}
        if not all(isinstance(v, str) for v in given.values()):
            raise ValueError("a filter is text")
        return cls(**given)

    @property
    def terms(self) -> list[str]:
        return self.q.casefold().split()

    def kind_fits(self, item: Item) -> bool:
        return self.task in ("", item.task) and self.language in ("", item.language)

    def decisions_fit(self, decided: Decided, reviewer: str, assigned: Sequence[str], changed: bool) -> bool:
        """Tell whether an item fits by what was decided on its present version.

        Args:
            decided: the standing decisions.
            reviewer: who asks.
            assigned: who gets the item; nobody named: everybody.
            changed: the reviewer decided on an earlier version only.
        """
        mine = decided.get(reviewer)
        if self.reason:  # others' reasons show, as their decisions do, only after one's own
            visible = decided.values() if mine else ()
            if not any(d.reason == self.reason for d in visible):
                return False
        fits = {
            "todo": mine is None and (not assigned or reviewer in assigned),
            "untouched": not decided,
            "mine": mine is not None,
            "rejected": mine is not None and mine.decision == "reject",
            "disagreed": disagree(decided.values()),
            "changed": changed,
            "all": True,
        }
        return fits[self.shown]


def found_in(terms: Sequence[str], words: Sequence[str]) -> bool:
    """Tell whether each term occurs in one of the texts."""
    whole = "\n".join(words).casefold()
    return all(t in whole for t in terms)


def excerpt(terms: Sequence[str], words: Sequence[str]) -> str:
    """Return the text around a hit that the two texts of a list do not show; else ""."""
    shown = "\n".join(w[:CUT] for w in words[:2]).casefold()
    for term in terms:
        if term in shown:
            continue
        for text in words:
            at = text.casefold().find(term)
            if at >= 0:
                start = max(at - _AROUND, 0)
                cut = re.sub(r"\s+", " ", text[start : at + len(term) + 2 * _AROUND]).strip()
                return ("…" if start else "") + cut
    return ""
