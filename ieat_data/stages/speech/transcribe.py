"""Speech to text, with the corpus transcript (or the query) kept beside it and the error rate between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ieat_data.checks.language import is_language
from ieat_data.checks.speech import METRIC, error_rate
from ieat_data.data.schema import TRANSCRIPTS
from ieat_data.engines.base import Failure
from ieat_data.engines.base import Transcribe as Request
from ieat_data.stages.base import Context, MapStage, Reject, Row, StageSettings
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.speech.signal_quality import JudgesClips


class TranscribeSettings(StageSettings):
    """The settings of `transcribe`."""

    text_of_recorded: Literal["asr", "reference"] = Field("asr", description="what a recorded user is taken to say")
    text_of_synthesized: Literal["asr", "reference"] = Field("reference", description="and one who was synthesized")
    max_error_rate: float = Field(0.5, ge=0, description="WER (en) or CER (zh) above which a clip is not trusted")


class Transcribe(JudgesClips, MapStage):
    """The transcripts. A synthesized clip was transcribed during its check, so it is not transcribed twice."""

    name = "transcribe"
    inputs = ("utterances", "signal_quality")
    optional = ("mos", "same_speaker")
    columns: Mapping[str, tuple[str, ...]] = {
        "utterances": ("audio", "language", "origin", "reference", "check_text"),
        "signal_quality": (),
        "mos": (),
        "same_speaker": (),
    }
    engines = ("asr",)
    schema = TRANSCRIPTS
    Settings = TranscribeSettings
    section = "audio_checks.asr"
    measured = ("error_rate",)

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.accepted(self.name, forecast.union("utterances").ok)
        recorded = forecast.loads["ingest"]
        load.asks["asr"] = Ask(recorded.ok, recorded.audio_s)  # clips spoken here were transcribed during their check
        return load

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        unheard = [r for r in rows if r["check_text"] is None]
        ids = [r["id"] for r in unheard]
        answers = ctx.engines["asr"].transcribe([Request(r["audio"], r["language"]) for r in unheard], ids)
        heard = dict(zip(ids, answers, strict=True))
        return [self._checked(r, heard.get(r["id"]), self.settings) for r in rows]

    def _checked(self, row: Row, answer: object, settings: TranscribeSettings) -> Row | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        asr_text = row["check_text"] if answer is None else getattr(answer, "text")  # noqa: B009
        asr_text = asr_text.strip()
        if not asr_text:
            return Reject("no_speech", payload={"reference": row["reference"]})
        rate = error_rate(row["reference"], asr_text, row["language"])
        said = {"reference": row["reference"], "asr_text": asr_text}
        if rate > settings.max_error_rate:
            return Reject("asr_mismatch", f"{rate:.2f}", said)
        source = settings.text_of_recorded if row["origin"] == "recorded" else settings.text_of_synthesized
        text = asr_text if source == "asr" else row["reference"]
        if not is_language(text, row["language"]):
            return Reject("wrong_language", payload=said)
        return {"text": text, "asr_text": asr_text, "metric": METRIC[row["language"]], "error_rate": rate}
