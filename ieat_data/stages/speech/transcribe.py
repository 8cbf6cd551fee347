"""Speech to text, with the corpus transcript (or the query) kept beside it and the error rate between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from ieat_data.checks.base import Check
from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.heard import Heard, fault
from ieat_data.checks.language import is_language
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.speech import METRIC, error_rate
from ieat_data.config import Pipeline
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Signal, Transcript, Utterance
from ieat_data.engines.base import Failure
from ieat_data.engines.base import Transcribe as Request
from ieat_data.engines.base import Transcript as Answer
from ieat_data.stages.base import Context, Reject, Rule, StageSettings
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.row_by_row import MapStage
from ieat_data.stages.speech.signal_quality import JudgesClips


class TranscribeSettings(StageSettings):
    """The settings of `transcribe`."""

    text_of_recorded: Literal["asr", "reference"] = Field("asr", description="what a recorded user is taken to say")
    text_of_synthesized: Literal["asr", "reference"] = Field("reference", description="and one who was synthesized")
    max_error_rate: float = Field(0.5, ge=0, description="WER (en) or CER (zh) above which a clip is not trusted")


@row
class Clip(Joined):
    """A clip of a user's speech, and what it is known to say."""

    audio: bytes = Utterance.audio
    language: str = Utterance.language
    origin: str = Utterance.origin
    reference: str = Utterance.reference
    check_text: str | None = Utterance.check_text


class Transcribe(JudgesClips, MapStage[Clip, Transcript]):
    """The transcripts. A synthesized clip was transcribed during its check, so it is not transcribed twice."""

    name = "transcribe"
    version = 2  # the text is checked, and the ASR's measures are kept
    reads: Mapping[str, type[Any]] = {"utterances": Utterance, "signal_quality": Signal}
    optional: tuple[str, ...] = ("mos", "same_speaker")
    engines = ("asr",)
    Settings = TranscribeSettings
    section = "audio_checks.asr"
    measured = ("error_rate",)

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "heard")

    def reasons(self) -> Mapping[str, str]:
        return KINDS["heard"]

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.accepted(self.name, forecast.union("utterances").ok)
        recorded = forecast.loads["ingest"]
        load.asks["asr"] = Ask(recorded.ok, recorded.audio_s)  # clips spoken here were transcribed during their check
        return load

    def process(self, rows: list[Clip], ctx: Context) -> list[Transcript | Reject]:
        unheard = [r for r in rows if r.check_text is None]
        ids = [r.id for r in unheard]
        answers = ctx.engines["asr"].transcribe([Request(r.audio, r.language) for r in unheard], ids)
        heard = dict(zip(ids, answers, strict=True))
        own = own_checks(ctx.pipeline).get("heard", ())
        return [self._checked(r, heard.get(r.id, Answer(r.check_text or "")), self.settings, own) for r in rows]

    def _checked(
        self, clip: Clip, answer: Answer | Failure, settings: TranscribeSettings, own: Sequence[Check[Heard]]
    ) -> Transcript | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        asr_text = answer.text.strip()
        if not asr_text:
            return Reject("no_speech", payload={"reference": clip.reference})
        said = {"reference": clip.reference, "asr_text": asr_text}
        source = settings.text_of_recorded if clip.origin == "recorded" else settings.text_of_synthesized
        rate = error_rate(clip.reference, asr_text, clip.language) if clip.reference else None
        if rate is None:
            source = "asr"
        elif rate > settings.max_error_rate:
            return Reject("asr_mismatch", f"{rate:.2f}", said)
        text = asr_text if source == "asr" else clip.reference
        if not is_language(text, clip.language):
            return Reject("wrong_language", payload=said)
        # what the ASR says of its own transcript is nothing against the corpus's
        measured = answer.details if source == "asr" else {}
        if reason := fault(Heard(text, clip.language, clip.reference, measured), own):
            return Reject(reason, payload={**said, "details": dict(answer.details)})
        measures = (answer.details.get(name) for name in ("no_speech_prob", "compression_ratio"))
        return Transcript(text, asr_text, METRIC[clip.language], rate, *measures)
