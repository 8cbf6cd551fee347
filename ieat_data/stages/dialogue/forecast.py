"""How many targets and dialogues a build would have: the basis of several stages' estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ieat_data.stages.forecast import Forecast


def targets(forecast: Forecast, stage: str, task: str) -> float:
    """Return the targets of a task that an injecting stage makes, minus those that its gates reject."""
    injecting: Any = forecast.stages[stage]
    per_parent: Mapping[str, float] = injecting.per_parent(forecast)
    return forecast.left(stage) * per_parent.get(task, 0.0) / max(sum(per_parent.values()), 1e-9)


def in_dialogues(forecast: Forecast) -> float:
    """Return the empathy samples that become turns of dialogues."""
    share = float(forecast.stages["reorganise"].settings.share)
    return targets(forecast, "inject", "empathy") * share * forecast.figures.get("used.reorganise")


def turns(forecast: Forecast) -> float:
    """Return the mean number of turns of a dialogue."""
    mix: Mapping[int, float] = forecast.stages["reorganise"].settings.turns
    return sum(n * w for n, w in mix.items()) / sum(mix.values())
