"""Names of before, and what they are called now: errors tell it."""

from __future__ import annotations

from collections.abc import Mapping

RENAMED_KEYS = {"targets": "configs", "same_speaker": "grouping: speaker"}
RENAMED_STAGES = {
    "listen": "recorded_signal_quality",
    "listen_spoken": "synthesized_signal_quality",
    "label": "emotion",
    **{f"screen_{x}": f"decontaminate_{x}" for x in ("replies", "targets", "dialogues", "pairs")},
    **{f"unique_{x}": f"dedup_{x}" for x in ("replies", "targets", "dialogues")},
}


def now_called(name: str, renamed: Mapping[str, str]) -> str | None:
    """Return what to say of a name of before; None for one that never was."""
    return f"{name!r} is now called {renamed[name]!r}" if name in renamed else None
