"""Optional: what a query's words say that the user feels, so that it is spoken with that feeling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Intended, LabelScore, Language, Nothing, Query
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Failure
from ieat_data.engines.ser.appraisal import FEELINGS, NAME
from ieat_data.stages.asking import option_faults, words_say
from ieat_data.stages.base import Context, Reject, StageSettings
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage


class IntentSettings(StageSettings):
    """The settings of `intent`."""

    sure: float = Field(
        0.6, ge=0, le=1, description="a feeling that is less probable by the words is none: the query is neutral"
    )


@row
class Selected(Joined):
    """A query to be spoken."""

    language: Language = Query.language
    text: str = Query.text


class Intent(MapStage[Selected, Intended]):
    """What a query's words say that the user feels: the feeling that it is spoken with."""

    name = "intent"
    reads: Mapping[str, type[Any]] = {"queries": Query, "select": Nothing}
    engines = ("llm",)
    prompts = ("appraisal.*.yaml", "models/*.yaml")
    Settings = IntentSettings

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.llm(self.name, forecast.loads["select"].ok, most_tokens=None)

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        return option_faults(NAME, FEELINGS, languages_of(pipeline))

    def process(self, rows: list[Selected], ctx: Context) -> list[Intended | Reject]:
        return [self._meant(a) for a in words_say([(r.id, r.language, r.text) for r in rows], ctx)]

    def _meant(self, words: dict[str, float] | Failure) -> Intended | Reject:
        if isinstance(words, Failure):
            return Reject(words.reason, words.message)
        best = max(FEELINGS, key=lambda f: words[f])
        label = best if words[best] >= self.settings.sure else "neutral"
        return Intended(label, words[label], tuple(LabelScore(f, words[f]) for f in FEELINGS))
