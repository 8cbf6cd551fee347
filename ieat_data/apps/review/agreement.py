"""A review's progress and the reviewers' agreement, over the items in their present version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from ieat_data.config import Rule
from ieat_data.decisions.adjudication import disagree, verdict
from ieat_data.decisions.log import Decision

Decided = Mapping[str, Decision]  # reviewer → standing decision


def kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Return Cohen's kappa of two people's judgements of the same items: agreement beyond chance, at most 1.

    None if chance alone would always agree (both judged all alike) or nothing is shared.
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
    listened: Counter[str] = Counter()
    by_reviewer: dict[str, Counter[str]] = {}
    held: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for decided in everything:
        for d in decided.values():
            by_reviewer.setdefault(d.reviewer, Counter())[d.decision] += 1
            listened[d.reviewer] += d.listened
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
        "reviewers": [
            {"name": r, "decided": c.total(), "listened": listened[r], **c} for r, c in sorted(by_reviewer.items())
        ],
        "pairs": [p for a, b in combinations(sorted(by_reviewer), 2) if (p := _pair(a, b, everything))],
        "by_reason": by_reason(everything),
    }


def by_reason(items: Iterable[Decided]) -> list[dict[str, Any]]:
    """Return for each reason how far people agree that it is one, the most frequent first.

    Every pair of people who decided on the same item counts once. `agreed` is the share of the pairs in which both gave
    the reason among those in which one did; `kappa` compares giving it with not giving it, beyond chance.
    """
    pairs = [(x[a].reason, x[b].reason) for x in items for a, b in combinations(sorted(x), 2)]
    found = []
    for reason in sorted({r for pair in pairs for r in pair if r}):
        given = [(a == reason, b == reason) for a, b in pairs]
        both, some = sum(a and b for a, b in given), sum(a or b for a, b in given)
        found.append({"reason": reason, "pairs": some, "both": both, "agreed": both / some, "kappa": kappa(given)})
    return sorted(found, key=lambda r: -r["pairs"])


def _pair(a: str, b: str, items: Iterable[Decided]) -> dict[str, Any] | None:
    """Return the agreement of two people on what both decided, or None if there is nothing."""
    pairs = [(x[a].decision, x[b].decision) for x in items if a in x and b in x]
    if not pairs:
        return None
    same = sum(p == q for p, q in pairs)
    return {"reviewers": [a, b], "items": len(pairs), "agreed": same / len(pairs), "kappa": kappa(pairs)}
