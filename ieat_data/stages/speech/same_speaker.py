"""Optional: an engine judges whether a cloned voice is that of its prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import Field

from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Signal, Utterance, VoiceMatch
from ieat_data.engines.base import Compare, Failure, Similarity
from ieat_data.stages.base import Context, Reject, StageSettings
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.row_by_row import MapStage
from ieat_data.stages.speech.signal_quality import JudgesClips
from ieat_data.stages.speech.speakers import voices


class SameSpeakerSettings(StageSettings):
    """The settings of `same_speaker`."""

    min_similarity: float = Field(0.4, ge=-1, le=1, description="of a spoken query's voice and that of its prompt")


@row
class SpokenQuery(Joined):
    """A clip, and the voice that speaks in it."""

    audio: bytes = Utterance.audio
    speaker: str = Utterance.speaker


class SameSpeaker(JudgesClips, MapStage[SpokenQuery, VoiceMatch]):
    """Does a spoken query sound like the clip that its voice was cloned from?"""

    name = "same_speaker"
    reads: Mapping[str, type[Any]] = {"synthesize": Utterance, "synthesized_signal_quality": Signal}
    broadcast = ("speakers",)
    engines = ("speaker",)
    Settings = SameSpeakerSettings
    section = "audio_checks.speaker"
    measured = ("similarity",)
    clips = "spoken"

    def estimate(self, forecast: Forecast) -> Load:
        spoken = forecast.loads["synthesize"]
        return Load(spoken.ok, spoken.ok, asks={"speaker": Ask(spoken.ok, spoken.audio_s)})

    def process(self, rows: list[SpokenQuery], ctx: Context) -> list[VoiceMatch | Reject]:
        known = voices(ctx, clips=True)
        prompts = {r.speaker: known.prompt(r.speaker) for r in rows}
        cloned = [(r, p) for r in rows if (p := prompts[r.speaker]) is not None]
        answers = ctx.engines["speaker"].compare(
            [Compare(r.audio, p.audio) for r, p in cloned], [r.id for r, _ in cloned]
        )
        judged = {r.id: self._compared(a) for (r, _), a in zip(cloned, answers, strict=True)}
        return [judged.get(r.id, VoiceMatch(None)) for r in rows]

    def _compared(self, answer: Similarity | Failure) -> VoiceMatch | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        if answer.similarity < self.settings.min_similarity:
            return Reject("other_speaker", f"{answer.similarity:.2f}", asdict(answer))
        return VoiceMatch(answer.similarity)
