"""Measure every clip before it is used: clipping, silence, loudness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from ieat_data.checks.base import Check
from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.clip import ClipLimits, Heard, fault, measure
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.config import Pipeline
from ieat_data.data.audio import AudioError, decode
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Signal, Utterance
from ieat_data.stages.base import Context, Made, Reject, Rule, Stage, StageSettings
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage

SIGNAL = ("lufs", "clipped", "silence", "leading_s", "trailing_s")  # columns of the measurements


class ListenSettings(StageSettings):
    """The settings of the signal quality stages."""

    limits: ClipLimits = ClipLimits()


class JudgesClips(Stage):
    """What stages share that judge clips: what the manifest says of them."""

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> dict[str, Any] | None:
        """Return the limits of each stage that judged clips, and how many it rejected; None if none did."""
        found = {
            m.name: {"limits": m.stage.settings.model_dump(mode="json"), "rejects": dict(sorted(m.rejects.items()))}
            for m in made
        }
        return found or None


@row
class Clip(Joined):
    """What is measured."""

    audio: bytes = Utterance.audio


class SignalQuality(JudgesClips, MapStage[Clip, Signal]):
    """Clips are measured: loudness, clipping, silence.

    Spoken queries were measured when they were spoken, to try again where that went wrong; what was measured of the
    clip that stayed is kept beside it here.

    Args:
        name: the table's name.
        of: the table of clips.
        clips: whose they are.
    """

    Settings = ListenSettings
    section = "audio_checks.signal"
    measured = SIGNAL

    def __init__(self, name: str, of: str, clips: Literal["recorded", "spoken"], settings: Any = None) -> None:
        super().__init__(settings)
        self.name, self.inputs, self.reads, self.clips = name, (of,), {of: Utterance}, clips

    def about(self) -> str:
        return f"{self.clips.capitalize()} clips are measured: loudness, clipping, silence."

    def estimate(self, forecast: Forecast) -> Load:
        (of,) = self.inputs
        return forecast.accepted(self.name, forecast.loads[of].ok)

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "clip")

    def reasons(self) -> Mapping[str, str]:
        return KINDS["clip"]

    def process(self, rows: list[Clip], ctx: Context) -> list[Signal | Reject]:
        own = own_checks(ctx.pipeline).get("clip", ())
        return [self._measured(clip.audio, own) for clip in rows]

    def _measured(self, audio: bytes, own: Sequence[Check[Heard]]) -> Signal | Reject:
        try:
            signal = measure(*decode(audio))
        except AudioError as e:
            return Reject(e.reason, str(e))
        reason = fault(signal, self.settings.limits, own)
        return Reject(reason, payload=asdict(signal)) if reason else signal
