"""Why a finished build has no sample: which stages took the last rows, and for which reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REASONS = 3  # named of each stage


def why_nothing(made: Mapping[str, Any]) -> str:
    """Return in one line which stages rejected all that reached them; "" if there are samples.

    A stage that made nothing without rejecting anything, such as one that groups rows, is named if no stage rejects.
    """
    if made["rows"]:
        return ""
    stages = made["stages"]
    took = [
        f"{name} rejected {n} of {n}: {_reasons(stage['rejects'])}"
        for name, stage in stages.items()
        if not stage["ok"] and (n := sum(stage["rejects"].values()))
    ]
    if not took:
        first = next((name for name, stage in stages.items() if stage["shards"] and not stage["ok"]), None)
        took = [f"{first} made no row of what it got"] if first else ["nothing was read"]
    return "; ".join(took)


def _reasons(rejects: Mapping[str, int]) -> str:
    ranked = sorted(rejects.items(), key=lambda kv: (-kv[1], kv[0]))
    shown = [f"{n} {reason}" if len(ranked) > 1 else reason for reason, n in ranked[:_REASONS]]
    return ", ".join(shown) + (", …" if len(ranked) > _REASONS else "")
