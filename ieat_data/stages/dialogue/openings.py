"""What a thought opens with: the model's own first sentences, asked for before any emotion is given, or written ones.

Both restate what was said, as thinking models do; the emotion that was heard comes next (`inject.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ieat_data.checks.base import Rejected
from ieat_data.checks.opening import opening
from ieat_data.config import Profile
from ieat_data.data.rows import Target
from ieat_data.engines.base import Failure, Generate
from ieat_data.hashing import seed
from ieat_data.prompting.base import Language, ThoughtPrompt, Turn
from ieat_data.stages.asking import descriptor_of, prompts_of, sampling
from ieat_data.stages.base import NO_FURTHER, Context, Reject, retry

InjectedTask = Literal["reasoning", "empathy", "trajectory"]
Opening = Literal["native", "written"]
OPENING = (
    "what a thought opens with: `native`, the model's own first sentences (asked for first, without the emotion; if "
    "they are unfit, a written one), or `written`, a sentence of the bank that quotes the user; null: native where the "
    "model thinks by itself"
)
TOKENS, TRIES = 60, 2


_ANY_SCORE = 2.0  # a score is at most 1


@dataclass(frozen=True)
class Draft:
    """A target to make."""

    id: str
    row: Target  # with the columns known before the model is asked
    task: InjectedTask
    language: Language
    turns: tuple[Turn, ...]
    question: str | None
    phrasing: int
    hedged: bool = False  # take the body of an unsure label, whatever the score

    def prompt(self, ctx: Context, unsure_below: float, opening: str | None) -> ThoughtPrompt:
        """Return the prompt for the rest of the thought after an opening: the model's own, or (None) a written one."""
        below = _ANY_SCORE if self.hedged else unsure_below
        return prompts_of(ctx.profile).inject(
            self.task, self.language, self.turns, self.question, self.phrasing, below, opening
        )

    def opened(self, ctx: Context) -> ThoughtPrompt:
        """Return the prompt for the beginning of the thought."""
        return prompts_of(ctx.profile).open_thought(self.task, self.language, self.turns, self.question, self.phrasing)


def opens_by_itself(setting: Opening | None, profile: Profile) -> bool:
    """Tell whether the model begins its thoughts by itself: by the setting, else if it is one that thinks by itself."""
    if setting is not None:
        return setting == "native"
    descriptor = descriptor_of(profile)
    return descriptor is not None and not descriptor.worked_examples


def ask_openings(
    drafts: Sequence[Draft], stage: str, setting: Opening | None, ctx: Context
) -> list[str | Reject | None]:
    """Ask the model for the beginnings of all thoughts at once.

    Returns:
        Its first sentences; None for a written opening, also where all tries are unfit; a `Reject` where the engine
        failed in a way that no further request of the row will pass.
    """
    if not opens_by_itself(setting, ctx.profile):
        return [None] * len(drafts)
    wanted = sampling(ctx, "thinking", TOKENS)
    asked = {d.id: d.opened(ctx) for d in drafts}

    def request(draft: Draft, attempt: int) -> Generate:
        prompt, draw = asked[draft.id], seed(draft.id, f"{stage} opening", attempt, ctx.pipeline.seed)
        return Generate(prompt.segments, wanted, draw, prompt.shared)

    def ask(tries: list[tuple[Draft, int]]) -> list[str | Reject]:
        answers = ctx.engines["llm"].generate([request(*t) for t in tries], [t.id for t, _ in tries])
        return [_opened(t, asked[t.id], a, ctx) for (t, _), a in zip(tries, answers, strict=True)]

    verdicts = [verdict for verdict, _ in retry(drafts, TRIES, ask)]
    return [None if isinstance(v, Reject) and v.reason not in NO_FURTHER else v for v in verdicts]


def _opened(draft: Draft, prompt: ThoughtPrompt, answer: Any, ctx: Context) -> str | Reject:
    if isinstance(answer, Failure):
        return Reject(answer.reason, answer.message)
    prompts = prompts_of(ctx.profile)
    asked = (draft.task, draft.language, answer, draft.turns, draft.question, prompts.labels, prompt.examples)
    begun = opening(*asked, prompts.descriptor.commands)
    return Reject(begun.reason) if isinstance(begun, Rejected) else begun
