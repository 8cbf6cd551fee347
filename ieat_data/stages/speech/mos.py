"""Optional: an engine rates the quality of each clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from pydantic import Field

from ieat_data.data.schema import MOS
from ieat_data.engines.base import Failure, Rate
from ieat_data.stages.base import Context, MapStage, Reject, Row, StageSettings
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.speech.signal_quality import JudgesClips


class MosSettings(StageSettings):
    """The settings of `mos`."""

    min_overall: float = Field(2.4, ge=1, le=5, description="overall quality below which a clip is not used")


class Mos(JudgesClips, MapStage):
    """The quality of each clip (1 to 5), rated by the profile's engine for it."""

    name = "mos"
    inputs = ("utterances", "signal_quality")
    columns: Mapping[str, tuple[str, ...]] = {"utterances": ("audio",), "signal_quality": ()}
    engines = ("mos",)
    schema = MOS
    Settings = MosSettings
    section = "audio_checks.mos"
    measured = ("overall",)

    def estimate(self, forecast: Forecast) -> Load:
        clips = forecast.union("utterances")
        return Load(clips.ok, clips.ok, asks={"mos": Ask(clips.ok, clips.audio_s)})

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        answers = ctx.engines["mos"].rate([Rate(r["audio"]) for r in rows], [r["id"] for r in rows])
        return [self._rated(a) for a in answers]

    def _rated(self, answer: object) -> Row | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        scores = asdict(answer)  # type: ignore[call-overload]
        if scores["overall"] < self.settings.min_overall:
            return Reject("low_mos", f"{scores['overall']:.2f}", scores)
        return dict(scores)
