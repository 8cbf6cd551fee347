"""How many targets and dialogues a build would have: the basis of several stages' estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ieat_data.stages.forecast import Forecast
from ieat_data.stages.speech.speakers import clones


def targets(forecast: Forecast, stage: str, task: str) -> float:
    """Return the targets of a task that an injecting stage makes, minus those that its gates reject."""
    injecting: Any = forecast.stages[stage]
    per_parent: Mapping[str, float] = injecting.per_parent(forecast)
    return forecast.left(stage) * per_parent.get(task, 0.0) / max(sum(per_parent.values()), 1e-9)


def in_dialogues(forecast: Forecast) -> float:
    """Return the empathy samples that become turns of dialogues; where turns are written, the first turns alone."""
    grouping = forecast.stages["reorganise"].settings.grouping
    drawn = seeds(forecast) if grouping == "written" else _drawn(forecast)
    return drawn * forecast.figures.get(f"used.reorganise.{grouping}", "used.reorganise")


def dialogues_of(forecast: Forecast) -> float:
    """Return the dialogues."""
    samples = 1.0 if forecast.stages["reorganise"].settings.grouping == "written" else _mean_turns(forecast)
    return in_dialogues(forecast) / samples


def turns(forecast: Forecast) -> float:
    """Return the mean number of turns of a dialogue."""
    if forecast.stages["reorganise"].settings.grouping != "written":
        return _mean_turns(forecast)
    return 1 + min(forecast.left("inject_turns") / max(dialogues_of(forecast), 1e-9), _mean_turns(forecast) - 1)


def seeds(forecast: Forecast) -> float:
    """Return the empathy samples for which the LLM writes what the user says next."""
    neutral = forecast.figures.get("neutral.inject")
    kept = neutral * float(forecast.stages["inject"].settings.neutral_share)
    spoken = 1.0
    if not clones(forecast.profile):
        spoken = forecast.loads["synthesize"].ok / max(forecast.union("utterances").ok, 1e-9)
    return _drawn(forecast) * (1 - neutral) / max(1 - neutral + kept, 1e-9) * spoken


def lines(forecast: Forecast) -> float:
    """Return the turns that the LLM writes."""
    return seeds(forecast) * (_mean_turns(forecast) - 1)


def _drawn(forecast: Forecast) -> float:
    return targets(forecast, "inject", "empathy") * float(forecast.stages["reorganise"].settings.share)


def _mean_turns(forecast: Forecast) -> float:
    mix: Mapping[int, float] = forecast.stages["reorganise"].settings.turns
    return sum(n * w for n, w in mix.items()) / sum(mix.values())
