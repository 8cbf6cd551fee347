"""From the rows of the corpora to the rows of every stage, and each stage's requests to each engine."""

from __future__ import annotations

from collections.abc import Sequence

from ieat_data.config import Pipeline, Profile
from ieat_data.cost.corpora import Corpus
from ieat_data.cost.figures import Figures
from ieat_data.stages import UNIONS
from ieat_data.stages.catalogue import catalogue
from ieat_data.stages.forecast import Forecast, Load


def funnel(
    pipeline: Pipeline, profile: Profile, corpora: Sequence[Corpus], figures: Figures, stages: Sequence[str]
) -> dict[str, Load]:
    """Return the load of each stage, in build order (`execution.plan.stages_of`)."""
    known = catalogue(pipeline)
    configured = {name: known.stages[name].configured(pipeline) for name in stages}
    forecast = Forecast(pipeline, profile, corpora, figures, configured, UNIONS, known.gates)
    for name, stage in configured.items():
        load = forecast.loads[name] = stage.estimate(forecast)
        if not stage.engines:
            load.core_s = load.rows * figures.get(f"core_s.{name}", "core_s.own")
        if load.rows and not load.bytes:
            load.bytes = load.rows * figures.get(f"bytes.{name}", "bytes.own")
    return forecast.loads
