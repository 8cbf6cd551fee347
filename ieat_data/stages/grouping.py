"""The settings of `reorganise`, which the stages for its groupings read too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ieat_data.config import Pipeline
from ieat_data.stages.base import StageSettings
from ieat_data.strict import validate

HowReplied = Literal["reuse", "regenerate"]
Grouping = Literal["any", "speaker", "recording", "written"]


class ReorganiseSettings(StageSettings):
    """The settings of `reorganise`."""

    share: float = Field(0.4, ge=0, le=1, description="of the accepted empathy samples, by hash")
    turns: Mapping[int, float] = Field({2: 1.0, 3: 1.0, 4: 1.0}, description="turns → weight in the mix")
    grouping: Grouping = Field(
        "any",
        description="what becomes one dialogue: `any` samples of a language, those of a `speaker`, neighbours in a "
        "`recording`, or a sample and what the LLM writes that the same user says next (`written`)",
    )
    max_gap_s: float = Field(
        10.0, ge=0, description="of `recording`: longest pause between two turns, seconds, where the corpus has times"
    )
    replies: HowReplied = Field("reuse", description="regenerate: new replies between the first and the last, in order")
    last_reply: HowReplied = Field("reuse", description="regenerate: a new last reply, with history")

    @property
    def replied(self) -> tuple[HowReplied, HowReplied]:
        """Return how inner replies and the last one are made; those to written turns have their history already."""
        return ("reuse", "reuse") if self.grouping == "written" else (self.replies, self.last_reply)


def settings_of(pipeline: Pipeline) -> ReorganiseSettings:
    """Return a pipeline's settings of `reorganise`.

    Raises:
        UserError: one is invalid.
    """
    where = f"pipeline {pipeline.name}: stages.reorganise"
    return validate(ReorganiseSettings, pipeline.stages.get("reorganise", {}), where)


def writes(pipeline: Pipeline) -> bool:
    """Tell whether the turns after the first are written by the LLM."""
    return settings_of(pipeline).grouping == "written"
