"""Figures by name, each with its kind and source: those of `costs.yaml`, under those that the work folder measured."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from ieat_data.config import EngineConfig, Role, Strict, read_yaml, validate
from ieat_data.paths import shipped

COSTS = Path(__file__).with_name("costs.yaml")

Kind = Literal["measured", "published", "sample", "guess"]
Unit = Literal["tokens_out", "audio_s"]


class Figure(Strict):
    """A number that a plan rests on."""

    value: float = Field(ge=0)
    kind: Kind
    source: str = Field(min_length=1)


class Speed(Strict):
    """How much of `unit` an engine does in a second (`costs.yaml` says what the three speeds mean)."""

    role: Role
    engine: str | None = None
    model: str | None = Field(None, description="part of the model's name, small letters")
    unit: Unit
    per_gpu: float | None = Field(None, gt=0)
    per_replica: float | None = Field(None, gt=0)
    on_cpu: float | None = Field(None, gt=0)
    kind: Kind
    source: str = Field(min_length=1)

    def fits(self, role: str, config: EngineConfig) -> bool:
        model = Path(str(config.settings.get("model", ""))).name.lower()
        named = self.model is None or self.model in model
        return self.role == role and self.engine in (None, config.engine) and named

    def figure(self, gpus: float) -> Figure | None:
        """The speed of one replica that has `gpus` of a GPU (or several); None where there is no figure for that."""
        if gpus == 0:
            value = self.on_cpu
        else:
            value = min(self.per_gpu * gpus, self.per_replica or float("inf")) if self.per_gpu else None
        return None if value is None else Figure(value=value, kind=self.kind, source=self.source)


def unit_of(role: str) -> Unit:
    """What the work of an engine is counted in: tokens that an LLM says, else seconds of audio."""
    return "tokens_out" if role == "llm" else "audio_s"


class CostTable(Strict):
    """`costs.yaml`."""

    speeds: tuple[Speed, ...]
    figures: Mapping[str, Figure]


@functools.cache
def cost_table() -> CostTable:
    return validate(CostTable, read_yaml(COSTS), str(COSTS))


@functools.cache
def sample_accept() -> dict[str, Figure]:
    """The share of rows that each stage of the shipped sample accepted."""
    stages = json.loads((shipped() / "manifests" / "sample.json").read_text(encoding="utf-8"))["stages"]
    found = {}
    for name, stage in stages.items():
        asked = stage["ok"] + sum(stage["rejects"].values())
        if asked:
            source = f"{stage['ok']} of {asked} rows in manifests/sample.json"
            found[f"accept.{name}"] = Figure(value=stage["ok"] / asked, kind="sample", source=source)
    return found


def servers_of(config: EngineConfig) -> int:
    """How many servers an engine asks; 0 for one that runs in the build. Each is taken to have one GPU."""
    return len(config.settings.get("base_urls", ()))


def gpus_of(config: EngineConfig) -> float:
    """GPUs of one replica or server."""
    return 1.0 if servers_of(config) else config.num_gpus


class Figures:
    """Looks figures up, and remembers which were used."""

    def __init__(self, measured: Mapping[str, Figure] | None = None) -> None:
        self._measured = dict(measured or {})
        self._known = {**sample_accept(), **cost_table().figures, **self._measured}
        self.used: dict[str, Figure] = {}

    def get(self, *names: str) -> float:
        """The first of `names` that was measured, or else the first that is known at all."""
        for known in (self._measured, self._known):
            for name in names:
                if name in known:
                    self.used[name] = known[name]
                    return known[name].value
        raise KeyError(f"cost figures: none of {', '.join(names)}")

    def speed(self, role: str, config: EngineConfig) -> tuple[Unit, Figure | None]:
        """What an engine's work is counted in, and how much of it a replica or server does in a second, where that is
        known."""
        found = next((s for s in cost_table().speeds if s.fits(role, config)), None)
        unit = found.unit if found else unit_of(role)
        figure = found.figure(gpus_of(config)) if found else None
        if own := self._measured.get(f"speed.{role}"):  # of all servers together
            figure = own.model_copy(update={"value": own.value / max(servers_of(config), 1)})
        if figure:
            self.used[f"speed.{role}"] = figure
        return unit, figure
