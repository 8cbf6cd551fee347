"""The options that all exporters of conversations share: which turns carry a loss, what becomes of a thought."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ieat_data.dataset.export.base import ExportSettings

Turns = Literal["all", "last", "each"]
Think = Literal["tag", "field", "none"]
Injected = Literal["mask", "train", "drop"]

NOT_SAID = (
    "this target has no loss inside a turn, so the injected part of a thought cannot be masked: say injected=train "
    "(it is learned) or injected=drop (it is left out)"
)
EARLIER = (
    "turns=all with history_think=strip would train earlier replies without their thoughts: take turns=each (a row for "
    "each trained turn), turns=last, or history_think=keep"
)

TurnsField = Annotated[
    Turns,
    Field(
        description="turns that carry a loss: all that the sample marks, the last of these, or each in a row of its "
        "own, with what came before"
    ),
]
InjectedField = Annotated[
    Injected | None, Field(description="the injected part of a thought: no loss, a loss, or left out")
]
ThinkField = Annotated[
    Think,
    Field(description="the thought between the model's tags before the answer, as a field of its own, or left out"),
]


class ConversationSettings(ExportSettings):
    """The settings of exporters that write conversations. A target narrows what it cannot hold."""

    masks: ClassVar[bool] = True  # whether the target can keep a part of a turn out of the loss

    turns: TurnsField = "all"
    history_think: Literal["keep", "strip"] = Field("keep", description="thoughts of turns that carry no loss")
    injected: InjectedField = "mask"
    think: ThinkField = "tag"
    descriptor: str = Field("qwen3", description="the model's file under prompts/models: its tags and control strings")
    max_audio_s: float | None = Field(
        30.0, gt=0, description="a row with a longer clip is left out: encoders cut it without a word. null: no limit"
    )
    audio: Literal["files", "embed"] = Field("files", description="clips as files beside the rows, or inside them")
    audio_root: str | None = Field(
        None, description="what the paths of clips begin with; null: the absolute path of the export"
    )
    transcripts: bool = Field(False, description="also write what was said; a model must not read it")

    @model_validator(mode="after")
    def _holds_together(self) -> ConversationSettings:
        if self.think != "none" and (self.injected is None or (self.injected == "mask" and not self.masks)):
            raise ValueError(NOT_SAID)
        if self.think != "none" and self.turns == "all" and self.history_think == "strip":
            raise ValueError(EARLIER)
        return self
