"""Decides, in one place, which decision holds if several people decided on the same item.

`any_reject` (the default): one rejection rejects. `majority`: more than half of the people who decided must reject; a
tie does not reject. Anything else is accepted, with the text that most people want: an edit is a vote for its text, an
acceptance a vote for the original text. In a tie an edit wins over the original text, and a later edit over an earlier
one.

Only decisions on the same version of an item are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ieat_data.config import Rule
from ieat_data.decisions.log import Decision


class Verdict(BaseModel):
    """The result for one version of an item. `why`: who rejected it and for which reason, if it is rejected."""

    model_config = ConfigDict(frozen=True)

    rejected: bool
    text: str = ""  # of an edited instruction
    why: tuple[str, ...] = ()

    def outcome(self, text: str) -> Literal["accepted", "edited", "rejected"]:
        """Return the result for an instruction whose original text is `text`."""
        if self.rejected:
            return "rejected"
        return "accepted" if self.text in ("", text) else "edited"


def verdict(decided: Iterable[Decision], rule: Rule) -> Verdict:
    """Return the result of one or more people's standing decisions on the same version of one item."""
    votes = sorted(decided, key=lambda d: (d.time, d.id))
    against = [d for d in votes if d.decision == "reject"]
    if against and (rule == "any_reject" or 2 * len(against) > len(votes)):
        return Verdict(rejected=True, why=tuple(_why(d) for d in against))
    texts = Counter(d.text for d in votes if d.decision != "reject")
    latest = {d.text: i for i, d in enumerate(votes) if d.decision == "edit"}  # never holds the original text
    return Verdict(rejected=False, text=max(texts, key=lambda t: (texts[t], latest.get(t, -1)), default=""))


def disagree(decided: Iterable[Decision]) -> bool:
    """Tell whether people want different results for the same version of an item."""
    return len({(d.decision, d.text) for d in decided}) > 1


def _why(d: Decision) -> str:
    return f"{d.reviewer}: {d.reason}{f' ({d.note})' if d.note else ''}"
