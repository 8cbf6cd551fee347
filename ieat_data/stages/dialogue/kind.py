"""Optional: what kind of row is it? Only one that tells of a feeling is worth a thought about the feeling.

The LLM's probabilities of four words, right after the prompt (`prompts/kind.*.yaml`); nothing is generated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pyarrow as pa
from pydantic import Field

from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import KindName, Language, RowKind, Transcript, Utterance
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Failure
from ieat_data.engines.llm.options import Options, load_options
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir
from ieat_data.stages.base import Context, Made, Reject, StageSettings
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage

KINDS: tuple[KindName, ...] = get_args(KindName)
NAME = "kind"  # prompts/kind.{language}.yaml


class KindSettings(StageSettings):
    """The settings of `kind`."""

    sure: float = Field(
        0.5, ge=0, le=1, description="a kind less probable than this is not believed: the row counts as a feeling"
    )
    calibration: float = Field(
        1.0, ge=0, le=1, description="how much of the LLM's bias towards some of the words is removed"
    )


@row
class Said(Joined):
    """What a user said."""

    language: Language = Utterance.language
    text: str = Transcript.text


class Kind(MapStage[Said, RowKind]):
    """What kind of row it is: a feeling, a request, a plain statement, or narration."""

    name = "kind"
    reads: Mapping[str, type[Any]] = {"utterances": Utterance, "transcribe": Transcript}
    engines = ("llm",)
    prompts = ("kind.*.yaml", "models/*.yaml")
    Settings = KindSettings
    section = "kinds"

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.llm(self.name, forecast.loads["transcribe"].ok, most_tokens=None)

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        found = []
        for language in languages_of(pipeline):
            try:
                load_options(prompts_dir(), NAME, language, KINDS)
            except UserError as e:
                found.append(str(e))
        return found

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        return {"kinds": dict(Counter(table.column("kind").drop_null().to_pylist()))}

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> dict[str, int] | None:
        """Return the rows of each kind."""
        total: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        for record in (r for m in made for r in m.records.values()):
            total.update(record.summary["kinds"])
        return dict(total) if made else None

    def process(self, rows: list[Said], ctx: Context) -> list[RowKind | Reject]:
        settings: KindSettings = self.settings
        if NAME not in ctx.shared:
            descriptor = str(ctx.profile.engines["llm"].settings["descriptor"])
            ctx.shared[NAME] = Options(prompts_dir(), NAME, KINDS, descriptor, settings.calibration)
        options: Options = ctx.shared[NAME]
        answers = options.weigh([(r.id, r.language, r.text) for r in rows], ctx.engines["llm"].choose)
        return [self._sorted(a) for a in answers]

    def _sorted(self, answer: dict[str, float] | Failure) -> RowKind | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        return RowKind(kind_of(answer, self.settings.sure), **answer)


def kind_of(probabilities: Mapping[str, float], sure: float) -> KindName:
    """Return the likeliest kind, or `feeling` where none is as likely as `sure`."""
    best = max(KINDS, key=lambda k: probabilities[k])
    return best if probabilities[best] >= sure else "feeling"


def tasks_for(kind: KindName | None, label: str) -> tuple[str, ...]:
    """Return the tasks that make sense of a row: what holds no feeling gets a plain empathy target, if it sounds so."""
    if kind == "feeling" or kind is None:
        return ("reasoning", "empathy")
    return ("empathy",) if kind != "narration" and label == "neutral" else ()
