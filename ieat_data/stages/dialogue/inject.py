"""The single-turn targets of an utterance, with an injected thought: reasoning and empathy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined, blank, row
from ieat_data.data.rows import (
    Appraised,
    Emotion,
    EmotionLabel,
    KindName,
    Reply,
    RowKind,
    Target,
    Transcript,
    Turn,
    Utterance,
)
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.hashing import share
from ieat_data.prompting.base import Language
from ieat_data.stages.base import Context, Made
from ieat_data.stages.dialogue.injection import Injection, InjectionSettings, by_parent
from ieat_data.stages.dialogue.kind import Kind, tasks_for
from ieat_data.stages.dialogue.openings import Draft, InjectedTask
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import Child, ExpandStage

CONTRASTIVE = "contrastive"  # an empathy target for a config of its own


class InjectSettings(InjectionSettings):
    """The settings of `inject`."""

    reasoning_share: float = Field(1.0, ge=0, le=1, description="utterances that get a reasoning target")
    empathy_share: float = Field(1.0, ge=0, le=1, description="utterances that get an empathy target")
    neutral_share: float = Field(1.0, ge=0, le=1, description="neutral utterances used: neutral dominates real speech")
    neutral_reasoning_share: float = Field(
        0.1, ge=0, le=1, description="of those, that may get a reasoning target: they hold no feeling to explain"
    )
    conflict: Literal["keep", "hedge", "drop", "contrastive"] = Field(
        "keep",
        description="what becomes of an utterance whose words strongly contradict the label that was heard: it is kept "
        "as it is, gets the hedged body of an unsure label, gets no target, or, where the voice holds a feeling, goes "
        "into the config `stage1_2_contrastive` (where it does not, it is hedged). All but `keep` need `appraise`, "
        "which is then made",
    )
    conflict_above: float = Field(
        0.6, ge=0, le=1, description="a conflict is strong if `appraise.conflict` is above this"
    )


@row
class Felt(Joined):
    """What a user said and how."""

    language: Language = Utterance.language
    text: str = Transcript.text
    label: str = EmotionLabel.label
    score: float = EmotionLabel.score
    speaker: str = Utterance.speaker
    origin: str = Utterance.origin
    # None: the pipeline does not ask for it
    kind: KindName | None = RowKind.kind
    conflict: float | None = Appraised.conflict


@dataclass(frozen=True)
class Route:
    """What is made of an utterance: the tasks, what their target is called, its body, and why there is none."""

    tasks: tuple[str, ...]
    named: str | None = None
    hedged: bool = False
    why: str = ""


class Inject(Injection, ExpandStage[Felt, Target]):
    """Reasoning and empathy on single utterances that passed stage 1-1."""

    name = "inject"
    version = 6
    several = False
    reads: Mapping[str, type[Any]] = {
        "utterances": Utterance,
        "transcribe": Transcript,
        "respond": Reply,
        "emotion": EmotionLabel,
        "kind": RowKind,
        "appraise": Appraised,
    }
    optional = ("kind", "appraise")
    Settings = InjectSettings
    section = "untargeted"

    def shares(self, pipeline: Pipeline) -> Mapping[InjectedTask, float]:
        return {"reasoning": self.settings.reasoning_share, "empathy": self.settings.empathy_share}

    def per_parent(self, forecast: Forecast) -> Mapping[str, float]:
        """Return the mean number of targets per utterance with a reply and a label, by task."""
        s: InjectSettings = self.settings
        if Kind().asked_for(forecast.pipeline):  # a feeling is hardly ever neutral, what is plain nearly always
            feeling, narration = (forecast.figures.get(f"{kind}.kind") for kind in ("feeling", "narration"))
            plain = (1 - feeling - narration) * s.neutral_share
            found = {"reasoning": feeling * s.reasoning_share, "empathy": (feeling + plain) * s.empathy_share}
        else:
            fewer = min(s.neutral_share, s.neutral_reasoning_share) < 1
            neutral = forecast.figures.get("neutral.inject") if fewer else 0.0
            used = neutral * s.neutral_share
            found = {
                "reasoning": (1 - neutral + used * s.neutral_reasoning_share) * s.reasoning_share,
                "empathy": (1 - neutral + used) * s.empathy_share,
            }
        if s.conflict in ("keep", "hedge"):
            return found
        against = forecast.figures.get("conflict.appraise")
        kept = {task: n * (1 - against) for task, n in found.items()}
        return kept if s.conflict == "drop" else {**kept, CONTRASTIVE: against * s.empathy_share}

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        found = super().faults(pipeline, profile, verdicts)
        if self.settings.conflict == CONTRASTIVE and "stage1_2_contrastive" not in pipeline.configs:
            return [
                *found,
                "stages.inject.conflict: contrastive: add stage1_2_contrastive to `configs`, or choose hedge",
            ]
        return found

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> dict[str, int]:
        """Return how many utterances get no target, by the reason; those that a share leaves out are not among them."""
        total: Counter[str] = Counter()
        for record in (r for m in made for r in m.records.values()):
            total.update(record.summary.get("untargeted", {}))
        return dict(sorted(total.items()))

    def estimate(self, forecast: Forecast) -> Load:
        labelled, replied = forecast.loads["emotion"], forecast.loads["respond"]
        parents = labelled.ok * (replied.ok / replied.rows if replied.rows else 0.0)
        return self.load(forecast, parents * sum(self.per_parent(forecast).values()))

    def process(self, rows: list[Felt], ctx: Context) -> list[list[Child[Target]]]:
        settings: InjectSettings = self.settings
        shares = self.shares(ctx.pipeline)
        drafts: list[Draft] = []
        untargeted: Counter[str] = Counter()
        salt = ctx.pipeline.seed
        for said in rows:
            neutral = said.label == "neutral"
            if neutral and share("neutral", said.id, salt) >= settings.neutral_share:
                continue
            emotion = Emotion(said.label, said.score, ctx.profile.engines["ser"].engine)
            turn = blank(
                Turn,
                utterance=said.id,
                transcript=said.text,
                emotion=emotion,
                speaker=said.speaker,
                origin=said.origin,
            )
            route = self.route(said)
            if route.why:
                untargeted[route.why] += 1
            for task, part in shares.items():
                used = settings.neutral_reasoning_share if neutral and task == "reasoning" else 1.0
                if task in route.tasks and share("task", task, said.id, salt) < part * used:
                    drafts.append(
                        self.draft(said.id, task, said.language, [turn], ctx, named=route.named, hedged=route.hedged)
                    )
        made = by_parent(rows, self.make(drafts, ctx))
        if untargeted:
            ctx.notes["untargeted"] = dict(Counter(ctx.notes.get("untargeted", {})) + untargeted)
        return made

    def route(self, said: Felt) -> Route:
        """Return what an utterance's kind and its words make of it."""
        settings: InjectSettings = self.settings
        tasks = tasks_for(said.kind, said.label)
        strong = said.conflict is not None and said.conflict > settings.conflict_above
        if not strong or settings.conflict == "keep" or said.kind == "narration":
            return Route(tasks, why="" if tasks else str(said.kind))
        if settings.conflict == "drop":
            return Route((), why="conflict")
        if settings.conflict == "contrastive" and said.label != "neutral":  # also a flat sentence, said with a feeling
            return Route(("empathy",), named=CONTRASTIVE)
        return Route(tasks, hedged=True, why="" if tasks else str(said.kind))
