"""Stage 2: which utterances are good enough to train on as pairs of speech and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from ieat_data.checks.base import Check, Text
from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.pairs import check_text, clean
from ieat_data.checks.speech import pace_fault
from ieat_data.config import Pipeline
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Pair, Signal, Utterance
from ieat_data.stages.base import Context, Reject, Rule, StageSettings
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage


class PairsSettings(StageSettings):
    """The settings of `pairs`."""

    min_s: float = Field(1.0, ge=0, description="shortest clip, seconds")
    max_s: float = Field(30.0, gt=0, description="longest clip, seconds")
    min_dnsmos: float | None = Field(3.0, description="where the corpus gives a DNSMOS; none: not looked at")


@row
class Recorded(Joined):
    """What a corpus says of a clip."""

    language: str = Utterance.language
    duration_s: float = Utterance.duration_s
    reference: str = Utterance.reference
    dnsmos: float | None = Utterance.dnsmos


class Pairs(MapStage[Recorded, Pair]):
    """The corpus's own transcript, cased and punctuated, of a clip of suitable length, pace and quality."""

    name = "pairs"
    reads: Mapping[str, type[Any]] = {"ingest": Utterance, "recorded_signal_quality": Signal}
    Settings = PairsSettings

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.accepted(self.name, forecast.loads["ingest"].ok)

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "transcript")

    def reasons(self) -> Mapping[str, str]:
        return KINDS["transcript"]

    def process(self, rows: list[Recorded], ctx: Context) -> list[Pair | Reject]:
        own = own_checks(ctx.pipeline).get("transcript", ())
        return [self._checked(clip, self.settings, own) for clip in rows]

    def _checked(self, clip: Recorded, limits: PairsSettings, own: Sequence[Check[Text]]) -> Pair | Reject:
        text, seconds = clean(clip.reference), clip.duration_s
        if not limits.min_s <= seconds <= limits.max_s:
            return Reject("too_short_audio" if seconds < limits.min_s else "too_long_audio", f"{seconds:.2f} s")
        dnsmos = clip.dnsmos
        if limits.min_dnsmos is not None and dnsmos is not None and dnsmos < limits.min_dnsmos:
            return Reject("low_dnsmos", f"{dnsmos:.2f}")
        reason = check_text(text, clip.language, own) or pace_fault(text, clip.language, seconds)
        return Reject(reason, f"{seconds:.2f} s", text) if reason else Pair(text)
