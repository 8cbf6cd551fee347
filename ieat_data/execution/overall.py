"""How much of a build is done, and when the rest is: all stages together, each by what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from ieat_data.errors import Damaged
from ieat_data.storage.store import Store

KEPT = "progress.json"  # in the work folder
_BASIS_S = 5.0  # of a build, before its pace says when it ends
_BASIS = 0.005  # and the share that it has done by then
_ALL_ASKED = 0.99  # of a stage whose answers are all there, but whose shards are not committed yet


@dataclass(frozen=True)
class Weight:
    """What a stage costs: seconds with the profile's engines, and the answers that it asks for."""

    seconds: float
    requests: float = 0.0


class Counts(Protocol):
    """What has been done of a stage: shards of all, those of before this run, answers of this run."""

    shards: int
    before: int
    done: int
    calls: int


@dataclass
class Overall:
    """The share of a build that is done, 0 to 1, and its pace since `begun_at`.

    `weights`: by stage, from the measurements in the work folder and the plan's estimate. Without any, as for a replay,
    each shard counts the same.
    """

    weights: Mapping[str, Weight]
    begun_at: float
    begun_with: float = 0.0

    def share(self, stages: Mapping[str, Counts]) -> float:
        """Return the share that is done."""
        seconds = {name: self._seconds(name, counts) for name, counts in stages.items()}
        total = sum(seconds.values())
        done = sum(seconds[name] * _done(self.weights.get(name), counts) for name, counts in stages.items())
        return done / total if total else 1.0

    def left_s(self, stages: Mapping[str, Counts], now: float) -> float | None:
        """Return the seconds until the build is done at this run's pace; None while that cannot be told."""
        share = self.share(stages)
        elapsed, made = now - self.begun_at, share - self.begun_with
        if made < _BASIS or elapsed < _BASIS_S:
            return None
        return (1 - share) * elapsed / made

    def _seconds(self, name: str, counts: Counts) -> float:
        if not self.weights:
            return float(counts.shards)
        weight = self.weights.get(name)
        return max(weight.seconds, 1e-3) if weight else 1e-3


def kept(work: Store) -> dict[str, Any] | None:
    """Return what a running build last wrote: `share`, `left_s` (may be null), `at` (Unix time); None if nothing."""
    with suppress(Damaged):
        return work.read_json(KEPT)
    return None


def _done(weight: Weight | None, counts: Counts) -> float:
    """Return the share of a stage that is done: by its shards or, between two of them, by its answers."""
    committed = counts.done / counts.shards
    if weight is None or not weight.requests or counts.done == counts.shards:
        return committed
    before = counts.before / counts.shards
    asked = min(counts.calls / (weight.requests * (1 - before)), _ALL_ASKED) if before < 1 else 1.0
    return max(committed, before + (1 - before) * asked)
