"""Optional: an engine rates the quality of each clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import Field

from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import OpinionScores, Signal, Utterance
from ieat_data.engines.base import Failure, Quality, Rate
from ieat_data.stages.base import Context, Reject, StageSettings
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.row_by_row import MapStage
from ieat_data.stages.speech.signal_quality import JudgesClips


class MosSettings(StageSettings):
    """The settings of `mos`."""

    min_overall: float = Field(2.4, ge=1, le=5, description="overall quality below which a clip is not used")


@row
class Clip(Joined):
    """What is rated."""

    audio: bytes = Utterance.audio


class Mos(JudgesClips, MapStage[Clip, OpinionScores]):
    """The quality of each clip (1 to 5), rated by the profile's engine for it."""

    name = "mos"
    reads: Mapping[str, type[Any]] = {"utterances": Utterance, "signal_quality": Signal}
    engines = ("mos",)
    Settings = MosSettings
    section = "audio_checks.mos"
    measured = ("overall",)

    def estimate(self, forecast: Forecast) -> Load:
        clips = forecast.union("utterances")
        return Load(clips.ok, clips.ok, asks={"mos": Ask(clips.ok, clips.audio_s)})

    def process(self, rows: list[Clip], ctx: Context) -> list[OpinionScores | Reject]:
        answers = ctx.engines["mos"].rate([Rate(r.audio) for r in rows], [r.id for r in rows])
        return [self._rated(a) for a in answers]

    def _rated(self, answer: Quality | Failure) -> OpinionScores | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        if answer.overall < self.settings.min_overall:
            return Reject("low_mos", f"{answer.overall:.2f}", asdict(answer))
        return OpinionScores(answer.overall, answer.signal, answer.background)
