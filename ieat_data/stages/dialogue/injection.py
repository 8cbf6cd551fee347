"""IEAT: the emotion goes into the think body, its close is withheld, and the model continues thinking and answers.

The thought opens by restating what was said (`openings.py`). Here is what `inject` and `inject_dialogues` share. Each
target's question is drawn before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field

from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.think import Accepted, accept
from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.columns import Joined, blank
from ieat_data.data.rows import (
    Target,
    Turn,
)
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Failure, Generate
from ieat_data.hashing import child_id, number, seed
from ieat_data.prompting.base import Language, ThoughtPrompt
from ieat_data.prompting.base import Turn as PromptTurn
from ieat_data.stages.asking import descriptor_of, prompt_faults, prompts_of, sampling
from ieat_data.stages.base import Context, Reject, Rule, Stage, StageSettings, retry
from ieat_data.stages.dialogue import rubric
from ieat_data.stages.dialogue.asker import by_user
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
from ieat_data.stages.row_by_row import Child

UNSURE_BELOW = 0.6
UNSURE = "a single utterance whose label has a lower score gets a hedged think body (it sounds a bit like ...)"
MAX_TOKENS = "of the think continuation and the answer together; null: as the model's descriptor says for thinking"


class InjectionSettings(StageSettings):
    """The settings that all stages with injected thoughts share."""

    attempts: int = Field(4, ge=1, description="tries, each with the next seed")
    opening: Opening | None = Field(None, description=OPENING)
    max_tokens: int | None = Field(None, ge=1, description=MAX_TOKENS)
    unsure_below: float = Field(UNSURE_BELOW, ge=0, le=1, description=UNSURE)


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


def by_parent(rows: Sequence[Joined], made: Sequence[Child[Target]]) -> list[list[Child[Target]]]:
    """Return the targets of each row."""
    children: dict[str, list[Child[Target]]] = {r.id: [] for r in rows}
    for child in made:
        children[child.row.parent].append(child)
    return [children[r.id] for r in rows]
