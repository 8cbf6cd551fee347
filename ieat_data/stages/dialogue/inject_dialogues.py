"""The targets of a dialogue, with injected thoughts: trajectory, reasoning, and replies that are made anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from ieat_data.config import Pipeline
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import (
    Dialogue,
    Target,
    Turn,
)
from ieat_data.hashing import share
from ieat_data.prompting.base import Language
from ieat_data.stages.base import Context, Made
from ieat_data.stages.dialogue import rubric
from ieat_data.stages.dialogue.history import answered, per_dialogue
from ieat_data.stages.dialogue.injection import Injection, InjectionSettings, by_parent
from ieat_data.stages.dialogue.openings import Draft, InjectedTask
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.grouping import settings_of
from ieat_data.stages.row_by_row import Child, ExpandStage


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
        return by_parent(rows, made)

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
