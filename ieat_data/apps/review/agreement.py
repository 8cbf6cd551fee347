"""A review's progress and the reviewers' agreement, over the items in their present version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from ieat_data.config import Rule
from ieat_data.decisions.adjudication import disagree, verdict
from ieat_data.decisions.log import Decision, Verb

Decided = Mapping[str, Decision]  # reviewer → standing decision


def kappa(pairs: Sequence[tuple[Verb, Verb]]) -> float | None:
    """Return Cohen's kappa of two people's decisions on the same items: agreement beyond chance, at most 1.

    None if chance alone would always agree (both made the same single decision throughout) or nothing is shared.
    """
    n = len(pairs)
    if not n:
        return None
    observed = sum(a == b for a, b in pairs) / n
    one, other = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(one[k] * other[k] for k in one) / n**2
    return None if chance == 1 else (observed - chance) / (1 - chance)


def progress(items: Iterable[Decided], rule: Rule) -> dict[str, Any]:
    """Return the numbers of a review.

    Args:
        items: for each item the standing decisions on its present version.
        rule: decides where people disagree.
    """
    everything = list(items)
    by_reviewer: dict[str, Counter[str]] = {}
    held: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for decided in everything:
        for d in decided.values():
            by_reviewer.setdefault(d.reviewer, Counter())[d.decision] += 1
            if d.decision == "reject":
                reasons[d.reason] += 1
        if decided:
            found = verdict(decided.values(), rule)
            held["rejected" if found.rejected else "edited" if found.text else "accepted"] += 1
    total, some = len(everything), sum(bool(x) for x in everything)
    return {
        "rule": rule,
        "items": total,
        "decided": some,
        "share": some / total if total else 0.0,
        "disagreed": sum(disagree(x.values()) for x in everything),
        "held": dict(held),
        "reasons": dict(reasons.most_common()),
        "reviewers": [{"name": r, "decided": c.total(), **c} for r, c in sorted(by_reviewer.items())],
        "pairs": [p for a, b in combinations(sorted(by_reviewer), 2) if (p := _pair(a, b, everything))],
    }


def _pair(a: str, b: str, items: Iterable[Decided]) -> dict[str, Any] | None:
    """Return the agreement of two people on what both decided, or None if there is nothing."""
    pairs = [(x[a].decision, x[b].decision) for x in items if a in x and b in x]
    if not pairs:
        return None
    same = sum(p == q for p, q in pairs)
    return {"reviewers": [a, b], "items": len(pairs), "agreed": same / len(pairs), "kappa": kappa(pairs)}
