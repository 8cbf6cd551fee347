"""Optional: what kind of row is it? Only one that tells of a feeling is worth a thought about the feeling.

The LLM's probabilities of four words, right after the prompt (`prompts/kind.*.yaml`), together with what it says of the
feeling in the words (`appraise`): a small model takes an injustice for a request, but not for something neutral.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pyarrow as pa
from pydantic import Field

from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Appraised, KindName, LabelScore, Language, RowKind, Transcript, Utterance
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Failure
from ieat_data.engines.llm.options import Options
from ieat_data.paths import prompts_dir
from ieat_data.stages.asking import descriptor_name, option_faults
from ieat_data.stages.base import Context, Made, Reject, StageSettings
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage

KINDS: tuple[KindName, ...] = get_args(KindName)
NAME = "kind"  # prompts/kind.{language}.yaml
_RAREST = 1e-3  # neither of the two rules a kind out by itself


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
    """What a user said, and the feelings that the words may hold."""

    language: Language = Utterance.language
    text: str = Transcript.text
    scores: tuple[LabelScore, ...] = Appraised.words_scores


class Kind(MapStage[Said, RowKind]):
    """What kind of row it is: a feeling, a request, a plain statement, or narration."""

    name = "kind"
    reads: Mapping[str, type[Any]] = {"utterances": Utterance, "transcribe": Transcript, "appraise": Appraised}
    engines = ("llm",)
    prompts = ("kind.*.yaml", "models/*.yaml")
    Settings = KindSettings
    section = "kinds"

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.llm(self.name, forecast.loads["appraise"].ok, most_tokens=None)

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        return option_faults(NAME, KINDS, languages_of(pipeline))

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
            ctx.shared[NAME] = Options(prompts_dir(), NAME, KINDS, descriptor_name(ctx.profile), settings.calibration)
        options: Options = ctx.shared[NAME]
        answers = options.weigh([(r.id, r.language, r.text) for r in rows], ctx.engines["llm"].choose)
        return [self._sorted(r, a) for r, a in zip(rows, answers, strict=True)]

    def _sorted(self, said: Said, answer: dict[str, float] | Failure) -> RowKind | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        p = weighed(answer, {s.label: s.score for s in said.scores})
        return RowKind(kind_of(p, self.settings.sure), **p)


def weighed(kinds: Mapping[str, float], feelings: Mapping[str, float]) -> dict[str, float]:
    """Return the probabilities of the kinds, given what the words say of kind and of feeling, each by itself.

    Requests and statements are neutral, feelings are not; read-aloud text may be either.
    """
    neutral = feelings.get("neutral", 0.0)
    fits = {"feeling": 1 - neutral, "request": neutral, "statement": neutral, "narration": 0.5}
    raw = {k: max(kinds[k], _RAREST) * max(fits[k], _RAREST) for k in KINDS}
    total = sum(raw.values())
    return {k: p / total for k, p in raw.items()}


def kind_of(probabilities: Mapping[str, float], sure: float) -> KindName:
    """Return the likeliest kind, or `feeling` where none is as likely as `sure`."""
    best = max(KINDS, key=lambda k: probabilities[k])
    return best if probabilities[best] >= sure else "feeling"


def tasks_for(kind: KindName | None, label: str) -> tuple[str, ...]:
    """Return the tasks that make sense of a row: what holds no feeling gets a plain empathy target, if it sounds so."""
    if kind == "feeling" or kind is None:
        return ("reasoning", "empathy")
    return ("empathy",) if kind != "narration" and label == "neutral" else ()
