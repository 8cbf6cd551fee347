"""Optional: an engine judges whether a cloned voice is that of its prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from pydantic import Field

from ieat_data.data.schema import VOICES
from ieat_data.engines.base import Compare, Failure
from ieat_data.stages.base import Context, MapStage, Reject, Row, StageSettings
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.speech.signal_quality import JudgesClips
from ieat_data.stages.speech.speakers import voices


class SameSpeakerSettings(StageSettings):
    """The settings of `same_speaker`."""

    min_similarity: float = Field(0.4, ge=-1, le=1, description="of a spoken query's voice and that of its prompt")


class SameSpeaker(JudgesClips, MapStage):
    """Does a spoken query sound like the clip that its voice was cloned from?"""

    name = "same_speaker"
    inputs = ("synthesize", "synthesized_signal_quality")
    broadcast = ("speakers",)
    columns: Mapping[str, tuple[str, ...]] = {"synthesize": ("audio", "speaker"), "synthesized_signal_quality": ()}
    engines = ("speaker",)
    schema = VOICES
    Settings = SameSpeakerSettings
    section = "audio_checks.speaker"
    measured = ("similarity",)
    clips = "spoken"

    def estimate(self, forecast: Forecast) -> Load:
        spoken = forecast.loads["synthesize"]
        return Load(spoken.ok, spoken.ok, asks={"speaker": Ask(spoken.ok, spoken.audio_s)})

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        known = voices(ctx, clips=True)
        prompts = {r["speaker"]: known.prompt(r["speaker"]) for r in rows}
        cloned = [(r, p) for r in rows if (p := prompts[r["speaker"]]) is not None]
        answers = ctx.engines["speaker"].compare(
            [Compare(r["audio"], p.audio) for r, p in cloned], [r["id"] for r, _ in cloned]
        )
        judged = {r["id"]: self._compared(a) for (r, _), a in zip(cloned, answers, strict=True)}
        return [judged.get(r["id"], {}) for r in rows]

    def _compared(self, answer: object) -> Row | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        found = asdict(answer)  # type: ignore[call-overload]
        low = found["similarity"] < self.settings.min_similarity
        return Reject("other_speaker", f"{found['similarity']:.2f}", found) if low else dict(found)
