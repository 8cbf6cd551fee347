"""The checks of clips and samples: their limits, how many they rejected, and the distribution of the measurements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ieat_data.apps.report.view import StageView, View
from ieat_data.checks.speech import PACE_S
from ieat_data.stages import SOURCE_TABLES, STAGES
from ieat_data.storage.shards import CommitRecord


class Look(NamedTuple):
    """One check of clips: a column of the tables, the settings that limit it, its reject codes.

    Values are counted in `bins` bins from `low` on; the outermost bins include what lies outside.
    """

    limits: tuple[str, ...]
    reasons: tuple[str, ...]
    low: float
    width: float
    bins: int


LOOKS: Mapping[str, Look] = {
    "lufs": Look(("min_lufs", "max_lufs"), ("too_quiet", "too_loud"), -70.0, 1.0, 70),
    "clipped": Look(("max_clipped",), ("clipped_audio",), 0.0, 0.00025, 400),
    "silence": Look(("max_silence",), ("mostly_silence",), 0.0, 0.02, 50),
    "leading_s": Look(("max_leading_s",), ("leading_silence",), 0.0, 0.1, 100),
    "trailing_s": Look(("max_trailing_s",), ("trailing_silence",), 0.0, 0.1, 100),
    "error_rate": Look(("max_error_rate",), ("asr_mismatch",), 0.0, 0.02, 100),
    "overall": Look(("min_overall",), ("low_mos",), 1.0, 0.1, 40),
    "similarity": Look(("min_similarity",), ("other_speaker",), -1.0, 0.04, 50),
}
_PACE = ("too_fast", "too_slow")


class Measured:
    """Counts by bin of the clips that passed, recorded and spoken separately; shards are added one by one."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))

    @staticmethod
    def wants(stage: StageView) -> bool:
        return stage.table is not None and stage.name in STAGES and bool(STAGES[stage.name].measured)

    def add(self, view: View, stage: StageView, record: CommitRecord) -> None:
        """Count the values of one shard."""
        assert stage.table is not None
        measured = STAGES[stage.name].measured
        table = stage.table.read(record, measured)
        origin = _origin(view, stage.name, record.shard)
        for name in measured:
            look, values = LOOKS[name], table.column(name).drop_null().to_numpy()
            # a value on an edge belongs to the bin above it, whatever the division's rounding
            at = np.clip(np.floor((values - look.low) / look.width + 1e-6), 0, look.bins - 1).astype(int)
            bins, counts = np.unique(at, return_counts=True)
            self._counts[name][origin].update(dict(zip(bins.tolist(), counts.tolist(), strict=True)))

    def spread(self, name: str) -> dict[str, dict[str, int]] | None:
        """Return recorded | spoken → bin → clips, or None if nothing was measured."""
        found = {o: {str(b): n for b, n in sorted(c.items())} for o, c in sorted(self._counts[name].items()) if c}
        return found or None


def _origin(view: View, stage: str, shard: str) -> str:
    """Return whether the clips of a shard are `recorded`, or `spoken` by a TTS engine."""
    clips = STAGES[stage].clips
    if clips != "either":
        return clips
    queries = view.stages.get(SOURCE_TABLES["text"])
    return "spoken" if queries and shard in queries.records else "recorded"


def audio(view: View, measured: Measured) -> list[dict[str, Any]]:
    """Return each check of the clips, with its limits, its rejects and the distribution of the others."""
    blocks = (view.made.get("audio_checks") or {}).values()
    stages = {name: said for block in blocks for name, said in (block or {}).items()}
    settings = [{**s["limits"], **(s["limits"].get("limits") or {})} for s in stages.values()]
    found: list[dict[str, Any]] = []
    for name, look in LOOKS.items():
        limits = {k: sorted({s[k] for s in settings if s.get(k) is not None}) for k in look.limits}
        if any(k in s for s in settings for k in look.limits):
            grid = {"low": look.low, "width": look.width, "counts": measured.spread(name)}
            found.append({"look": name, "limits": limits, "rejects": _rejected(stages, look.reasons), **grid})
        if name == "error_rate" and any(s in STAGES and STAGES[s].paced for s in stages):
            found.append({"look": "pace", "limits": PACE_S, "rejects": _rejected(stages, _PACE), "counts": None})
    return found


def _rejected(stages: Mapping[str, Any], reasons: tuple[str, ...]) -> dict[str, int]:
    return {r: n for r in reasons if (n := sum(s["rejects"].get(r, 0) for s in stages.values()))}


def screened(view: View) -> dict[str, Any]:
    """Return the manifest's section and the number of samples (`of`). Empty if nothing was screened."""
    said = {k: v for k, v in (view.made.get("screened") or {}).items() if v}
    return {k: {**v, "of": _rows_in(view, f"screened.{k}")} for k, v in said.items()}


def _rows_in(view: View, section: str) -> int:
    """Return how many rows the stages of a section of the manifest worked on."""
    return sum(s.rows_in for s in view.stages.values() if s.name in STAGES and STAGES[s.name].section == section)
