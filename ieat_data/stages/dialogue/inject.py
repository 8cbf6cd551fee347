"""IEAT: the emotion goes into the think body, its close is withheld, and the model continues thinking and answers.

The thought opens by restating what was said (`openings.py`). `inject` makes the single-turn targets of an utterance
(reasoning, empathy), `inject_dialogues` those of a dialogue (trajectory, reasoning, and empathy where the last reply is
made anew). Each target's question is drawn before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Field

from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.think import Accepted, accept
from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.columns import Joined, blank, row
from ieat_data.data.rows import (
    Appraised,
    Dialogue,
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
from ieat_data.engines.base import Failure, Generate
from ieat_data.hashing import child_id, number, seed, share
from ieat_data.prompting.base import Language, ThoughtPrompt
from ieat_data.prompting.base import Turn as PromptTurn
from ieat_data.stages.asking import descriptor_of, prompt_faults, prompts_of, sampling
from ieat_data.stages.base import Context, Made, Reject, Rule, Stage, StageSettings, retry
from ieat_data.stages.dialogue import rubric
from ieat_data.stages.dialogue.asker import by_user
from ieat_data.stages.dialogue.history import answered, per_dialogue
from ieat_data.stages.dialogue.kind import Kind, tasks_for
from ieat_data.stages.dialogue.openings import (
    OPENING,
    TOKENS,
    Draft,
    InjectedTask,
    Opening,
    ask_openings,
    opens_by_itself,
)
from ieat_data.stages.dialogue.questions import QUESTIONED, bank_faults, changes, draw_instruction
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.grouping import settings_of
from ieat_data.stages.row_by_row import Child, ExpandStage

CONTRASTIVE = "contrastive"  # an empathy target for a config of its own
UNSURE_BELOW = 0.6
UNSURE = "a single utterance whose label has a lower score gets a hedged think body (it sounds a bit like ...)"


MAX_TOKENS = "of the think continuation and the answer together; null: as the model's descriptor says for thinking"


class InjectionSettings(StageSettings):
    """The settings that all stages with injected thoughts share."""

    attempts: int = Field(4, ge=1, description="tries, each with the next seed")
    opening: Opening | None = Field(None, description=OPENING)
    max_tokens: int | None = Field(None, ge=1, description=MAX_TOKENS)
    unsure_below: float = Field(UNSURE_BELOW, ge=0, le=1, description=UNSURE)


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


class Injection(Stage):
    """What both stages share: request the targets of all parents at once, keep those that pass the checks."""

    several: bool  # whether its targets are about several turns
    broadcast = ("speakers",)
    engines = ("llm",)
    prompts = (
        "tasks/empathy.*.yaml",
        "tasks/reasoning.*.yaml",
        "tasks/trajectory.*.yaml",
        "think/*.yaml",
        "instructions/*.jsonl",
        "models/*.yaml",
        "labels.yaml",
    )

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        languages = languages_of(pipeline)
        asked = [task for task, share in self.shares(pipeline).items() if share > 0]
        statuses = pipeline.instructions.statuses
        banks = [(t, x) for t in asked if t in QUESTIONED for x in languages]
        return prompt_faults(profile, asked, languages) + bank_faults(banks, statuses, self.several, verdicts)

    @abstractmethod
    def shares(self, pipeline: Pipeline) -> Mapping[InjectedTask, float]:
        """Return the share of the parents that get a target, by task."""

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "completion", "thought", "answer")

    def reasons(self) -> Mapping[str, str]:
        return {**KINDS["answer"], **KINDS["thought"], **KINDS["completion"], **rubric.REASONS}

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {"instructions": pipeline.instructions.model_dump(mode="json")}

    def decision_inputs(self, verdicts: Verdicts, pipeline: Pipeline) -> Mapping[str, Any]:
        return changes(verdicts, pipeline.instructions.statuses)

    def draft(
        self,
        parent: str,
        task: InjectedTask,
        language: Language,
        turns: Sequence[Turn],
        ctx: Context,
        ordinal: str | None = None,
        *,
        named: str | None = None,
        hedged: bool = False,
    ) -> Draft:
        """Draw the question and the phrasing.

        Args:
            parent: id of the utterance or dialogue.
            task: what is asked of the model.
            language: `en` or `zh`.
            turns: the user's turns.
            ctx: of the task.
            ordinal: which child it is; None: the only one of its task.
            named: the target's task, where that is another.
            hedged: take the body of an unsure label, whatever the score.
        """
        row_id, salt = child_id(parent, self.name, ordinal or named or task), ctx.pipeline.seed
        drawn = draw_instruction(row_id, task, language, self.several, ctx) if task in QUESTIONED else None
        drawn = by_user(drawn, language, turns, ctx) if drawn else None
        question = drawn.text if drawn else None
        said = tuple(PromptTurn(t.transcript, t.emotion.label, t.reply or "", t.emotion.score) for t in turns)
        phrasing = number("phrasing", row_id, salt)
        known = blank(
            Target, parent=parent, task=named or task, language=language, turns=tuple(turns), instruction=drawn
        )
        return Draft(row_id, known, task, language, said, question, phrasing, hedged)

    def make(self, drafts: Sequence[Draft], ctx: Context) -> list[Child[Target]]:
        """Ask until accepted or out of attempts."""
        wanted = sampling(ctx, "thinking", self.settings.max_tokens)
        openings = ask_openings(drafts, self.name, self.settings.opening, ctx)
        unsure_below = self.settings.unsure_below
        asked = {
            d.id: d.prompt(ctx, unsure_below, None if isinstance(o, Reject) else o)
            for d, o in zip(drafts, openings, strict=True)
        }
        lost = {d.id: o for d, o in zip(drafts, openings, strict=True) if isinstance(o, Reject)}

        def draw(draft: Draft, attempt: int) -> int:
            return seed(draft.id, self.name, attempt, ctx.pipeline.seed)

        def ask(tries: list[tuple[Draft, int]]) -> list[Accepted | Reject]:
            requests = [Generate(asked[t.id].segments, wanted, draw(t, n), asked[t.id].shared) for t, n in tries]
            answers = ctx.engines["llm"].generate(requests, [t.id for t, _ in tries])
            return [_checked(t, asked[t.id], a, ctx) for (t, _), a in zip(tries, answers, strict=True)]

        open_drafts = [d for d in drafts if d.id not in lost]
        verdicts = dict(zip((d.id for d in open_drafts), retry(open_drafts, self.settings.attempts, ask), strict=True))
        made: list[Child[Target]] = []
        for draft in drafts:
            verdict, tries = verdicts[draft.id] if draft.id in verdicts else (lost[draft.id], 0)
            tried = replace(draft.row, attempts=tries, seed=draw(draft, max(tries - 1, 0)))
            if isinstance(verdict, Reject):
                made.append(Child(draft.id, tried, verdict))
            else:
                text = {"think": verdict.think, "think_spans": verdict.think_spans, "answer": verdict.answer}
                made.append(Child(draft.id, replace(tried, **text)))
        return made

    def load(self, forecast: Forecast, rows: float) -> Load:
        """Return the load of so many targets, with the requests for their openings."""
        descriptor = descriptor_of(forecast.profile)
        most = self.settings.max_tokens
        if most is None and descriptor is not None:
            most = descriptor.sampling.thinking.max_tokens
        load = forecast.llm(self.name, rows, most)
        if opens_by_itself(self.settings.opening, forecast.profile):
            asks, figures = load.asks["llm"], forecast.figures
            requests = rows * figures.get(f"openings.{self.name}")
            asks.requests += requests
            asks.tokens_in += requests * figures.get(f"tokens_in.{self.name}")
            asks.tokens_out += requests * min(figures.get("tokens_out.opening"), TOKENS)
        return load


def _checked(target: Draft, prompt: ThoughtPrompt, answer: Any, ctx: Context) -> Accepted | Reject:
    if isinstance(answer, Failure):
        return Reject(answer.reason, answer.message)
    verdict = accept(
        target.task,
        target.language,
        prompt.given,
        answer,
        target.turns,
        target.question,
        prompts_of(ctx.profile).labels,
        prompt.examples,
        own_checks(ctx.pipeline),
        prompts_of(ctx.profile).descriptor.commands,
    )
    if isinstance(verdict, Accepted):
        return verdict
    said = [[t.transcript, t.label] for t in target.turns]
    payload = {"task": target.task, "turns": said, "question": target.question}
    given = [list(piece) for piece in prompt.given]
    return Reject(verdict.reason, payload={**payload, "given": given, "parts": answer.parts})


def _by_parent(rows: Sequence[Joined], made: Sequence[Child[Target]]) -> list[list[Child[Target]]]:
    children: dict[str, list[Child[Target]]] = {r.id: [] for r in rows}
    for child in made:
        children[child.row.parent].append(child)
    return [children[r.id] for r in rows]


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
        made = _by_parent(rows, self.make(drafts, ctx))
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


class InjectDialoguesSettings(InjectionSettings):
    """The settings of `inject_dialogues`."""

    attempts: int = Field(6, ge=1, description="tries, each with the next seed")
    reasoning_share: float = Field(0.5, ge=0, le=1, description="dialogues that get a reasoning target")
    trajectory_share: float = Field(1.0, ge=0, le=1, description="dialogues that get a trajectory target")


@row
class Talk(Joined):
    """A dialogue."""

    language: Language = Dialogue.language
    turns: tuple[Turn, ...] = Dialogue.turns
    anew: tuple[int, ...] = Dialogue.anew


class InjectDialogues(Injection, ExpandStage[Talk, Target]):
    """Trajectory and reasoning over dialogues, after the replies that the pipeline wants to be made anew."""

    name = "inject_dialogues"
    version = 6
    several = True
    reads: Mapping[str, type[Any]] = {"reorganise": Dialogue}
    Settings = InjectDialoguesSettings
    section = "rubric"

    def shares(self, pipeline: Pipeline) -> Mapping[InjectedTask, float]:
        of = settings_of(pipeline)
        return {
            "trajectory": self.settings.trajectory_share,
            "reasoning": self.settings.reasoning_share,
            "empathy": per_dialogue(of.turns, *of.replied),  # may be over one: a reply is a target
        }

    def per_parent(self, forecast: Forecast) -> Mapping[str, float]:
        """Return the mean number of targets per dialogue, by task."""
        return {str(task): share for task, share in self.shares(forecast.pipeline).items()}

    def estimate(self, forecast: Forecast) -> Load:
        rows = forecast.loads["reorganise"].ok * sum(self.per_parent(forecast).values())
        return self.load(forecast, rows)

    def process(self, rows: list[Talk], ctx: Context) -> list[list[Child[Target]]]:
        settings: InjectDialoguesSettings = self.settings
        shares: dict[InjectedTask, float] = {
            "trajectory": settings.trajectory_share,
            "reasoning": settings.reasoning_share,
        }
        told, replies = answered(rows, _Replies(self, ctx))
        drafts: list[Draft] = []
        for talk in rows:
            if talk.id not in told:
                continue  # one of its replies was rejected
            wanted = [t for t, p in shares.items() if share("task", t, talk.id, ctx.pipeline.seed) < p]
            drafts += [self.draft(talk.id, task, talk.language, told[talk.id], ctx) for task in wanted]
        made = [*replies, *self.make(drafts, ctx)]
        rubric.count(made, ctx)
        return _by_parent(rows, made)

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> Any:
        return rubric.described(made)


@dataclass(frozen=True)
class _Replies:
    """How a stage makes a reply within a dialogue."""

    stage: Injection
    ctx: Context

    def reply(self, parent: str, language: Language, turns: Sequence[Turn]) -> Draft:
        return self.stage.draft(parent, "empathy", language, turns, self.ctx, f"empathy {len(turns)}")

    def make(self, drafts: Sequence[Draft]) -> list[Child[Target]]:
        return self.stage.make(drafts, self.ctx)
