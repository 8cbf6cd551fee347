"""Every clip is listened to before anything is made of it: clipping, silence, loudness; measured, judged and kept.

`mos` and `same_speaker` are for pipelines that have a block for them: engines judge the quality of each clip, and
whether a cloned voice is that of its prompt.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

from pydantic import Field

from ieat_data.checks.clip import ClipLimits, fault, measure
from ieat_data.data.audio import AudioError, decode
from ieat_data.data.schema import MOS, SIGNALS, VOICES
from ieat_data.engines.base import Compare, Failure, Rate
from ieat_data.stages.base import Context, MapStage, Reject, Row, StageSettings


class ListenSettings(StageSettings):
    limits: ClipLimits = ClipLimits()


class Listen(MapStage):
    """Recorded clips are measured: loudness, clipping, silence."""

    name = "listen"
    inputs: ClassVar[tuple[str, ...]] = ("ingest",)
    columns: ClassVar = {"ingest": ("audio",)}
    schema = SIGNALS
    Settings = ListenSettings

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        return [self._judge(row["audio"]) for row in rows]

    def _judge(self, audio: bytes) -> Row | Reject:
        try:
            signal = measure(*decode(audio))
        except AudioError as e:
            return Reject(e.reason, str(e))
        reason = fault(signal, self.settings.limits)
        return Reject(reason, payload=asdict(signal)) if reason else asdict(signal)


class ListenSpoken(Listen):
    """Spoken queries, which were listened to when they were spoken: what was measured is kept beside them here."""

    name = "listen_spoken"
    inputs = ("synthesize",)
    columns: ClassVar = {"synthesize": ("audio",)}


class MosSettings(StageSettings):
    min_overall: float = Field(2.4, ge=1, le=5, description="overall quality below which a clip is not used")


class Mos(MapStage):
    """The quality of each clip (1 to 5), as the profile's engine for it hears it."""

    name = "mos"
    inputs = ("utterances", "heard")
    columns: ClassVar = {"utterances": ("audio",), "heard": ()}
    engines = ("mos",)
    schema = MOS
    Settings = MosSettings

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        answers = ctx.engines["mos"].rate([Rate(r["audio"]) for r in rows], [r["id"] for r in rows])
        return [self._judge(a) for a in answers]

    def _judge(self, answer: object) -> Row | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        scores = asdict(answer)  # type: ignore[call-overload]
        if scores["overall"] < self.settings.min_overall:
            return Reject("low_mos", f"{scores['overall']:.2f}", scores)
        return dict(scores)


class SameSpeakerSettings(StageSettings):
    min_similarity: float = Field(0.4, ge=-1, le=1, description="of a spoken query's voice and that of its prompt")


class SameSpeaker(MapStage):
    """Does a spoken query sound like the clip that its voice was cloned from?"""

    name = "same_speaker"
    inputs = ("synthesize", "listen_spoken")
    whole = ("speakers",)
    columns: ClassVar = {"synthesize": ("audio", "speaker"), "listen_spoken": ()}
    engines = ("speaker",)
    schema = VOICES
    Settings = SameSpeakerSettings

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        prompts = {r["speaker"]: ctx.prompt(r["speaker"]) for r in rows}
        cloned = [(r, p) for r in rows if (p := prompts[r["speaker"]]) is not None]
        answers = ctx.engines["speaker"].compare(
            [Compare(r["audio"], p.audio) for r, p in cloned], [r["id"] for r, _ in cloned]
        )
        judged = {r["id"]: self._judge(a) for (r, _), a in zip(cloned, answers, strict=True)}
        return [judged.get(r["id"], {}) for r in rows]

    def _judge(self, answer: object) -> Row | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        found = asdict(answer)  # type: ignore[call-overload]
        low = found["similarity"] < self.settings.min_similarity
        return Reject("other_speaker", f"{found['similarity']:.2f}", found) if low else dict(found)
