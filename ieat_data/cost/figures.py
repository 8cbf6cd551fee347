"""Figures by name, each with its kind and source: measurements of the work folder come before those of `costs.yaml`."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from ieat_data.config import EngineConfig, Role
from ieat_data.paths import shipped
from ieat_data.strict import Strict, read_yaml, validate

COSTS = Path(__file__).with_name("costs.yaml")

Kind = Literal["measured", "benchmark", "published", "sample", "guess"]
Unit = Literal["tokens_out", "audio_s"]


class Figure(Strict):
    """A number that an estimate uses."""

    value: float = Field(ge=0)
    kind: Kind
    source: str = Field(min_length=1)


class Speed(Strict):
    """How much of `unit` an engine does per second (`costs.yaml` explains the three speeds)."""

    role: Role
    engine: str | None = None
    model: str | None = Field(None, description="part of the model's name, in lower case")
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
        """Return the speed of one replica with `gpus` GPUs (may be a fraction), or None if no figure is known."""
        if gpus == 0:
            value = self.on_cpu
        else:
            value = min(self.per_gpu * gpus, self.per_replica or float("inf")) if self.per_gpu else None
        return None if value is None else Figure(value=value, kind=self.kind, source=self.source)


def unit_of(role: str) -> Unit:
    """Return the unit of an engine's work: generated tokens for an LLM, else seconds of audio."""
    return "tokens_out" if role == "llm" else "audio_s"


class CostTable(Strict):
    """`costs.yaml`."""

    speeds: tuple[Speed, ...]
    figures: Mapping[str, Figure]


@functools.cache
def cost_table() -> CostTable:
    """Return the shipped figures."""
    return validate(CostTable, read_yaml(COSTS), str(COSTS))


@functools.cache
def sample_accept() -> dict[str, Figure]:
    """Return the share of rows that each stage of the shipped sample accepted."""
    stages = json.loads((shipped() / "manifests" / "sample.json").read_text(encoding="utf-8"))["stages"]
    found = {}
    for name, stage in stages.items():
        asked = stage["ok"] + sum(stage["rejects"].values())
        if asked:
            source = f"{stage['ok']} of {asked} rows in manifests/sample.json"
            found[f"accept.{name}"] = Figure(value=stage["ok"] / asked, kind="sample", source=source)
    return found


def servers_of(config: EngineConfig) -> int:
    """Return how many servers an engine asks; 0 if it runs in the build. Each is assumed to have one GPU."""
    return len(config.settings.get("base_urls", ()))


def gpus_of(config: EngineConfig) -> float:
    """Return the GPUs of one replica or server."""
    return 1.0 if servers_of(config) else config.num_gpus


class Figures:
    """Looks up figures, and records which were used."""

    def __init__(self, measured: Mapping[str, Figure] | None = None) -> None:
        self._measured = dict(measured or {})
        self._known = {**sample_accept(), **cost_table().figures, **self._measured}
        self.used: dict[str, Figure] = {}

    def get(self, *names: str) -> float:
        """Return the first of `names` that was measured, else the first that is known at all."""
        for known in (self._measured, self._known):
            for name in names:
                if name in known:
                    self.used[name] = known[name]
                    return known[name].value
        raise KeyError(f"cost figures: none of {', '.join(names)}")

    def speed(self, role: str, config: EngineConfig) -> tuple[Unit, Figure | None]:
        """Return the unit of an engine's work, and how much of it a replica or server does per second, if known."""
        found = next((s for s in cost_table().speeds if s.fits(role, config)), None)
        unit = found.unit if found else unit_of(role)
        figure = found.figure(gpus_of(config)) if found else None
        if own := self._measured.get(f"speed.{role}"):  # for all servers together
            figure = own.model_copy(update={"value": own.value / max(servers_of(config), 1)})
        if figure:
            self.used[f"speed.{role}"] = figure
        return unit, figure
