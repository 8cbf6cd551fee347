"""The whole estimate: stages, pools of engines, their split over GPUs, time, money, storage; and its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ieat_data.config import Pipeline, Profile, Role
from ieat_data.cost.corpora import Corpus
from ieat_data.cost.figures import Figure, Figures, gpus_of, servers_of
from ieat_data.cost.funnel import funnel
from ieat_data.cost.split import gpus_needed, split
from ieat_data.errors import UserError
from ieat_data.execution.order import stages_of
from ieat_data.stages.forecast import Ask, Load


@dataclass(frozen=True)
class Pool:
    """An engine's part of a build. Hours are for one replica; None if the engine's speed is unknown."""

    role: str
    engine: str
    model: str
    gpus: float  # of one replica
    replicas: int  # in the profile; for a served model, its servers
    served: bool
    unit: str
    work: float  # in units
    speed: Figure | None  # units per second of one replica

    @property
    def hours(self) -> float | None:
        return self.work / self.speed.value / 3600 if self.speed and self.speed.value else None

    @property
    def gpu_hours(self) -> float | None:
        return None if self.hours is None else self.hours * self.gpus


@dataclass(frozen=True)
class Estimate:
    """What a build would cost. Hours are hours, storage is bytes, `price` and `money` are USD."""

    pipeline: str
    profile: str
    corpora: list[Corpus]
    loads: dict[str, Load]
    pools: dict[str, Pool]
    stored: dict[str, float]
    gpus: int  # 0: no engine has one
    replicas: dict[str, int]  # the best split, or the profile's own if there are no GPUs
    hours: float | None  # of the whole build, a lower bound
    profile_gpus: int
    profile_hours: float | None
    price: float | None
    figures: dict[str, Figure]
    autoscale: bool = False  # replicas move while the build runs

    @property
    def slowest(self) -> str | None:
        """Return the pool that the others wait for."""
        timed = {r: p.hours / self.replicas[r] for r, p in self.pools.items() if p.hours}
        return max(timed, key=lambda r: timed[r], default=None)

    @property
    def gpu_hours(self) -> float:
        """Return the GPU-hours in which engines work; `gpus * hours` are paid for."""
        return sum(p.gpu_hours or 0.0 for p in self.pools.values())

    @property
    def money(self) -> float | None:
        return None if self.price is None or self.hours is None else self.gpus * self.hours * self.price

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        pools = {
            r: {**asdict(p), "speed": p.speed and p.speed.model_dump(), "hours": p.hours, "gpu_hours": p.gpu_hours}
            for r, p in self.pools.items()
        }
        more = {"slowest": self.slowest, "gpu_hours": self.gpu_hours, "money": self.money}
        own = {k: getattr(self, k) for k in ("pipeline", "profile", "stored", "gpus", "replicas", "hours", "price")}
        return {
            **own,
            **more,
            "profile_gpus": self.profile_gpus,
            "profile_hours": self.profile_hours,
            "corpora": [asdict(c) for c in self.corpora],
            "stages": {name: asdict(load) for name, load in self.loads.items()},
            "pools": pools,
            "figures": {name: f.model_dump() for name, f in sorted(self.figures.items())},
        }


def estimate(
    pipeline: Pipeline,
    profile: Profile,
    corpora: Sequence[Corpus],
    figures: Figures,
    gpus: int | None = None,
    price: float | None = None,
) -> Estimate:
    """Estimate a build over `corpora`.

    Args:
        pipeline: what is built.
        profile: the engines.
        corpora: the sources with their sizes.
        figures: speeds, rates and sizes.
        gpus: how many there are; None: as many as the profile's replicas take.
        price: USD per GPU-hour.

    Raises:
        UserError: the GPUs do not hold one replica of each engine.
    """
    loads = funnel(pipeline, profile, corpora, figures, stages_of(pipeline))
    asked = _by_role(loads)
    if lacking := sorted(set(asked) - set(profile.engines)):
        raise UserError(f"profile {profile.name}: engines: no {lacking[0]}, which pipeline {pipeline.name} needs")
    pools = {str(r): _pool(r, asked[r], profile, figures) for r in profile.engines if r in asked}
    on_gpu = [p for p in pools.values() if p.gpus]
    shares = [p.gpus for p in on_gpu]
    own = {r: p.replicas for r, p in pools.items()}
    profile_gpus = gpus_needed(shares, [p.replicas for p in on_gpu])
    there = profile_gpus if gpus is None or not on_gpu else gpus
    best = dict(own)
    if on_gpu:
        counts = split([p.hours or 0.0 for p in on_gpu], shares, there)
        if counts is None:
            parts = ", ".join(f"{p.role} {p.gpus:g}" for p in on_gpu)
            least = gpus_needed(shares, [1] * len(shares))
            raise UserError(f"--gpus {there}: one replica of each engine ({parts}) takes {least}")
        best.update({p.role: n for p, n in zip(on_gpu, counts, strict=True)})
    return Estimate(
        pipeline.name,
        profile.name,
        list(corpora),
        loads,
        pools,
        _stored(loads, figures),
        there if on_gpu else 0,
        best,
        _hours(pools, best, profile),
        profile_gpus,
        _hours(pools, own, profile),
        price,
        figures.used,
        profile.autoscale,
    )


def _by_role(loads: Mapping[str, Load]) -> dict[str, Ask]:
    totals: dict[str, Ask] = {}
    for load in loads.values():
        for role, ask in load.asks.items():
            total = totals.setdefault(role, Ask())
            for name, n in asdict(ask).items():
                setattr(total, name, getattr(total, name) + n)
    return totals


def _pool(role: Role, ask: Ask, profile: Profile, figures: Figures) -> Pool:
    config = profile.engines[role]
    unit, speed = figures.speed(role, config)
    model = str(config.settings.get("model", ""))
    work = getattr(ask, unit)
    servers = servers_of(config)
    gpus, replicas = gpus_of(config), servers or config.replicas
    return Pool(role, config.engine, model, gpus, replicas, servers > 0, unit, work, speed)


def _hours(pools: Mapping[str, Pool], replicas: Mapping[str, int], profile: Profile) -> float | None:
    """Return a lower bound of the build's hours. Pools work in parallel; with one shard in flight they take turns."""
    if any(p.hours is None for p in pools.values()):
        return None
    each = [(p.hours or 0.0) / replicas[r] for r, p in pools.items()]
    return math.fsum(each) if profile.shards_in_flight == 1 else max(each, default=0.0)


def _stored(loads: Mapping[str, Load], figures: Figures) -> dict[str, float]:
    """Return the bytes of each table and of the engines' raw answers. Published files are links to tables."""
    stored = {name: load.bytes for name, load in loads.items()}
    answers = 0.0
    for load in loads.values():
        for role, ask in load.asks.items():
            answers += ask.requests * figures.get(f"bytes.answer.{role}")
            answers += ask.audio_s * figures.get("bytes_per_s.spoken") if role == "tts" else 0.0
    return {**stored, "answers": answers}
