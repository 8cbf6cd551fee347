"""IEAT: the emotion goes into the think body, its close is withheld, and the model continues thinking and answers.

`inject` makes the single-turn targets of an utterance (reasoning, empathy), `inject_dialogues` those of a dialogue
(trajectory, reasoning, and empathy where the last reply is made anew). Each target's question is drawn before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.think import Accepted, accept
from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.schema import TARGETS
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Failure, Generate
from ieat_data.hashing import child_id, number, seed, share
from ieat_data.prompting.base import InjectedPrompt, Language, Turn
from ieat_data.stages.asking import prompt_faults, prompts_of, sampling
from ieat_data.stages.base import Context, ExpandStage, Reject, Row, Rule, StageSettings, retry
from ieat_data.stages.dialogue.questions import QUESTIONED, bank_faults, changes, draw_instruction
from ieat_data.stages.dialogue.reorganise import Reorganise
from ieat_data.stages.forecast import Forecast, Load

Child = Row | tuple[Row, Reject]
InjectedTask = Literal["reasoning", "empathy", "trajectory"]

UNSURE_BELOW = 0.6
UNSURE = "a single utterance whose label has a lower score gets a hedged think body (it sounds a bit like ...)"


class InjectSettings(StageSettings):
    """The settings of `inject`."""

    attempts: int = Field(4, ge=1, description="tries, each with the next seed")
    max_tokens: int = Field(1024, ge=1, description="of the think continuation and the answer together")
    unsure_below: float = Field(UNSURE_BELOW, ge=0, le=1, description=UNSURE)
    reasoning_share: float = Field(1.0, ge=0, le=1, description="utterances that get a reasoning target")
    empathy_share: float = Field(1.0, ge=0, le=1, description="utterances that get an empathy target")
    neutral_share: float = Field(1.0, ge=0, le=1, description="neutral utterances used: neutral dominates real speech")
    neutral_reasoning_share: float = Field(
        0.1, ge=0, le=1, description="of those, that may get a reasoning target: they hold no feeling to explain"
    )


@dataclass(frozen=True)
class Target:
    """One target to make."""

    row: Row  # the columns known before the model is asked
    task: InjectedTask
    language: Language
    turns: tuple[Turn, ...]
    question: str | None
    prompt: InjectedPrompt


class Injection(ExpandStage):
    """What both stages share: request the targets of all parents at once, keep those that pass the checks."""

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
    schema = TARGETS

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        languages = languages_of(pipeline)
        asked = [task for task, share in self.shares(pipeline).items() if share > 0]
        statuses = pipeline.instructions.statuses
        banks = [(t, x) for t in asked if t in QUESTIONED for x in languages]
        return prompt_faults(profile, asked, languages) + bank_faults(banks, statuses, verdicts)

    @abstractmethod
    def shares(self, pipeline: Pipeline) -> Mapping[InjectedTask, float]:
        """Return the share of the parents that get a target, by task."""

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "completion", "thought", "answer")

    def reasons(self) -> Mapping[str, str]:
        return {**KINDS["answer"], **KINDS["thought"], **KINDS["completion"]}

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {"instructions": pipeline.instructions.model_dump(mode="json")}

    def decision_inputs(self, verdicts: Verdicts, pipeline: Pipeline) -> Mapping[str, Any]:
        return changes(verdicts, pipeline.instructions.statuses)

    def target(self, parent: str, task: InjectedTask, language: Language, turns: Sequence[Row], ctx: Context) -> Target:
        """Draw the question and build the prompt. `turns`: rows of schema.TURN."""
        row_id, salt = child_id(parent, self.name, task), ctx.pipeline.seed
        drawn = draw_instruction(row_id, task, language, ctx) if task in QUESTIONED else None
        question = drawn["text"] if drawn else None
        said = tuple(
            Turn(t["transcript"], t["emotion"]["label"], t.get("reply") or "", t["emotion"]["score"]) for t in turns
        )
        phrasing = number("phrasing", row_id, salt)
        prompt = prompts_of(ctx.profile).inject(task, language, said, question, phrasing, self.settings.unsure_below)
        row = {
            "id": row_id,
            "parent": parent,
            "task": task,
            "language": language,
            "turns": list(turns),
            "instruction": drawn,
        }
        return Target(row, task, language, said, question, prompt)

    def make(self, targets: Sequence[Target], ctx: Context) -> list[Child]:
        """Ask until accepted or out of attempts."""
        wanted = sampling(ctx, "thinking", self.settings.max_tokens)

        def draw(target: Target, attempt: int) -> int:
            return seed(target.row["id"], self.name, attempt, ctx.pipeline.seed)

        def ask(tries: list[tuple[Target, int]]) -> list[Accepted | Reject]:
            requests = [Generate(t.prompt.segments, wanted, draw(t, n), t.prompt.shared) for t, n in tries]
            answers = ctx.engines["llm"].generate(requests, [t.row["id"] for t, _ in tries])
            return [_checked(t, a, ctx) for (t, _), a in zip(tries, answers, strict=True)]

        made: list[Child] = []
        for target, (verdict, tries) in zip(targets, retry(targets, self.settings.attempts, ask), strict=True):
            row = {**target.row, "attempts": tries, "seed": draw(target, max(tries - 1, 0))}
            if isinstance(verdict, Reject):
                made.append((row, verdict))
                continue
            text = {"think": verdict.think, "injected_chars": verdict.injected_chars, "answer": verdict.answer}
            made.append({**row, **text})
        return made


def _checked(target: Target, answer: Any, ctx: Context) -> Accepted | Reject:
    if isinstance(answer, Failure):
        return Reject(answer.reason, answer.message)
    verdict = accept(
        target.task,
        target.language,
        target.prompt.injected,
        answer,
        target.turns,
        target.question,
        prompts_of(ctx.profile).labels,
        target.prompt.examples,
        own_checks(ctx.pipeline),
    )
    if isinstance(verdict, Accepted):
        return verdict
    said = [[t.transcript, t.label] for t in target.turns]
    payload = {"task": target.task, "turns": said, "question": target.question}
    return Reject(verdict.reason, payload={**payload, "injected": target.prompt.injected, "parts": answer.parts})


def _by_parent(rows: Sequence[Row], made: Sequence[Child]) -> list[list[Child]]:
    children: dict[str, list[Child]] = {r["id"]: [] for r in rows}
    for child in made:
        row = child[0] if isinstance(child, tuple) else child
        children[row["parent"]].append(child)
    return [children[r["id"]] for r in rows]


class Inject(Injection):
    """Reasoning and empathy on single utterances that passed stage 1-1."""

    name = "inject"
    version = 3
    inputs = ("utterances", "transcribe", "respond", "emotion")
    columns: Mapping[str, tuple[str, ...]] = {
        "utterances": ("language",),
        "transcribe": ("text",),
        "respond": (),
        "emotion": ("label", "score"),
    }
    Settings = InjectSettings

    def shares(self, pipeline: Pipeline) -> Mapping[InjectedTask, float]:
        return {"reasoning": self.settings.reasoning_share, "empathy": self.settings.empathy_share}

    def per_parent(self, forecast: Forecast) -> Mapping[str, float]:
        """Return the mean number of targets per utterance with a reply and a label, by task."""
        s: InjectSettings = self.settings
        fewer = min(s.neutral_share, s.neutral_reasoning_share) < 1
        neutral = forecast.figures.get("neutral.inject") if fewer else 0.0
        used = neutral * s.neutral_share
        return {
            "reasoning": (1 - neutral + used * s.neutral_reasoning_share) * s.reasoning_share,
            "empathy": (1 - neutral + used) * s.empathy_share,
        }

    def estimate(self, forecast: Forecast) -> Load:
        labelled, replied = forecast.loads["emotion"], forecast.loads["respond"]
        parents = labelled.ok * (replied.ok / replied.rows if replied.rows else 0.0)
        return forecast.llm(self.name, parents * sum(self.per_parent(forecast).values()), self.settings.max_tokens)

    def process(self, rows: list[Row], ctx: Context) -> list[list[Child]]:
        settings: InjectSettings = self.settings
        shares = self.shares(ctx.pipeline)
        targets: list[Target] = []
        salt = ctx.pipeline.seed
        for row in rows:
            neutral = row["label"] == "neutral"
            if neutral and share("neutral", row["id"], salt) >= settings.neutral_share:
                continue
            turn = {
                "utterance": row["id"],
                "transcript": row["text"],
                "emotion": {"label": row["label"], "score": row["score"], "source": ctx.profile.engines["ser"].engine},
            }
            for task, part in shares.items():
                used = settings.neutral_reasoning_share if neutral and task == "reasoning" else 1.0
                if share("task", task, row["id"], salt) < part * used:
                    targets.append(self.target(row["id"], task, row["language"], [turn], ctx))
        return _by_parent(rows, self.make(targets, ctx))


class InjectDialoguesSettings(StageSettings):
    """The settings of `inject_dialogues`."""

    attempts: int = Field(6, ge=1, description="tries, each with the next seed")
    max_tokens: int = Field(1024, ge=1, description="of the think continuation and the answer together")
    unsure_below: float = Field(UNSURE_BELOW, ge=0, le=1, description=UNSURE)
    reasoning_share: float = Field(0.5, ge=0, le=1, description="dialogues that get a reasoning target")
    trajectory_share: float = Field(1.0, ge=0, le=1, description="dialogues that get a trajectory target")


class InjectDialogues(Injection):
    """Trajectory and reasoning over dialogues; a new last reply if the pipeline asks for one."""

    name = "inject_dialogues"
    version = 3
    inputs = ("reorganise",)
    columns: Mapping[str, tuple[str, ...]] = {"reorganise": ("language", "turns", "regenerate")}
    Settings = InjectDialoguesSettings

    def shares(self, pipeline: Pipeline) -> Mapping[InjectedTask, float]:
        anew = float(Reorganise().configured(pipeline).settings.last_reply == "regenerate")
        return {
            "trajectory": self.settings.trajectory_share,
            "reasoning": self.settings.reasoning_share,
            "empathy": anew,
        }

    def per_parent(self, forecast: Forecast) -> Mapping[str, float]:
        """Return the mean number of targets per dialogue, by task."""
        return {str(task): share for task, share in self.shares(forecast.pipeline).items()}

    def estimate(self, forecast: Forecast) -> Load:
        rows = forecast.loads["reorganise"].ok * sum(self.per_parent(forecast).values())
        return forecast.llm(self.name, rows, self.settings.max_tokens)

    def process(self, rows: list[Row], ctx: Context) -> list[list[Child]]:
        settings: InjectDialoguesSettings = self.settings
        shares: dict[InjectedTask, float] = {
            "trajectory": settings.trajectory_share,
            "reasoning": settings.reasoning_share,
        }
        targets: list[Target] = []
        for row in rows:
            wanted = [t for t, p in shares.items() if share("task", t, row["id"], ctx.pipeline.seed) < p]
            if row["regenerate"]:
                wanted.append("empathy")
            targets += [self.target(row["id"], task, row["language"], row["turns"], ctx) for task in wanted]
        return _by_parent(rows, self.make(targets, ctx))
