"""The one place that says what holds where several people decided on the same thing.

`any_reject` (the default): one rejection rejects. `majority`: more than half of the people who decided must reject; a
tie does not. What is not rejected is accepted, and where someone edited it, with the text that most people want: an
edit is a vote for its text, an acceptance one for the text as it was. In a tie an edit goes before the old text, the
later edit before the earlier.

Only decisions on one and the same version of the item are held against each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ieat_data.config import Rule
from ieat_data.decisions.log import Decision


class Verdict(BaseModel):
    """What holds of one version of an item. `why`: who rejected it and for what, where it is rejected."""

    model_config = ConfigDict(frozen=True)

    rejected: bool
    text: str = ""  # of an instruction that was edited
    why: tuple[str, ...] = ()

    def outcome(self, text: str) -> Literal["accepted", "edited", "rejected"]:
        """What becomes of an instruction that stands as `text`."""
        if self.rejected:
            return "rejected"
        return "accepted" if self.text in ("", text) else "edited"


def verdict(decided: Iterable[Decision], rule: Rule) -> Verdict:
    """What holds by the standing decisions of several people on the same version of one item; at least one."""
    votes = sorted(decided, key=lambda d: (d.time, d.id))
    against = [d for d in votes if d.decision == "reject"]
    if against and (rule == "any_reject" or 2 * len(against) > len(votes)):
        return Verdict(rejected=True, why=tuple(_why(d) for d in against))
    texts = Counter(d.text for d in votes if d.decision != "reject")
    latest = {d.text: i for i, d in enumerate(votes) if d.decision == "edit"}  # the old text is in none
    return Verdict(rejected=False, text=max(texts, key=lambda t: (texts[t], latest.get(t, -1)), default=""))


def disagree(decided: Iterable[Decision]) -> bool:
    """Whether people want different things of the same version of an item."""
    return len({(d.decision, d.text) for d in decided}) > 1


def _why(d: Decision) -> str:
    return f"{d.reviewer}: {d.reason}{f' ({d.note})' if d.note else ''}"
