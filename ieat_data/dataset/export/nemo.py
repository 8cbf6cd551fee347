"""`nemo`: conversations for NeMo's SpeechLM2 (`multimodal_conversation`).

NeMo's prompt formatters have no loss for a single turn and drop earlier thoughts by rules of their own. So a row has
one trained turn, the last; earlier thoughts are left out here; a row that the formatter would train wrongly is left
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import JsonLinesExporter
from ieat_data.dataset.export.options import ConversationSettings, InjectedField

LOCATOR = "<|audio|>"
MODES = "NeMo's qwen3 writes /think into a user's turn of every second row, at random, each time that it is read"


class NemoSettings(ConversationSettings):
    """The settings of `nemo`."""

    masks: ClassVar[bool] = False
    formatter: Literal["qwen", "qwen3"] = Field(
        "qwen3",
        description="NeMo's prompt formatter: qwen3 trains the last turn only and puts an empty block before a reply "
        "without a thought; qwen trains all turns",
    )
    turns: Literal["each", "last"] = Field("each", description="a row for each trained turn, or for the last one")
    history_think: Literal["strip"] = Field("strip", description="thoughts of turns that carry no loss")
    injected: InjectedField = None
    think: Literal["tag", "none"] = Field("tag", description="the thought between the model's tags, or left out")
    transcripts: Literal[False] = Field(False, description="not written: NeMo has no place for them")
    audio: Literal["files"] = Field("files", description="clips as files beside the rows")

    @model_validator(mode="after")
    def _thinks(self) -> NemoSettings:
        if self.formatter == "qwen3" and self.think == "none":
            raise ValueError(
                "formatter=qwen3 puts an empty think block before replies without a thought: with think=none take "
                "formatter=qwen"
            )
        return self


class Nemo(JsonLinesExporter):
    """`{id, conversations: [{from, type, value, duration}], custom}`; `duration` is the clip's own."""

    Settings = NemoSettings
    tags = (LOCATOR,)

    def row_fault(self, row: Row) -> str | None:
        replies = [t for t in row.turns if t.role == "assistant"]
        if self.settings.formatter == "qwen" and len(replies) > 1:
            return "untrained_turn"  # it would be trained
        if self.settings.formatter == "qwen3" and not replies[-1].thought:
            return "no_thought"  # an empty think block would be trained
        return None

    def line(self, row: Row) -> Mapping[str, Any]:
        turns: list[dict[str, Any]] = []
        for turn in row.turns:
            if turn.clip is not None:
                clip = row.clips[turn.clip]
                turns.append(
                    {"from": "User", "type": "audio", "value": self.clip(clip.data), "duration": round(clip.seconds, 6)}
                )
            if text := turn.joined():
                turns.append({"from": "User" if turn.role == "user" else "Assistant", "type": "text", "value": text})
        custom = {"sample": row.sample, "task": row.task, "language": row.language}
        return {"id": row.id, "conversations": turns, "custom": custom}

    def notes(self) -> list[str]:
        return [*super().notes(), *([MODES] if self.settings.formatter == "qwen3" else [])]

    def how_to(self) -> str:
        files = "".join(f"\n      - {self.final / name}" for name in self.files)
        return f"""# Train on it with NeMo

```yaml
input_cfg:
  - type: multimodal_conversation
    audio_locator_tag: "{LOCATOR}"
    token_equivalent_duration: 0.08
    manifest_filepath:{files}
prompt_format: {self.settings.formatter}
```

- `prompt_format` must be `{self.settings.formatter}`: these rows are made for it. `qwen3` trains the last turn alone;
  `qwen` trains every turn, so it gets rows of one reply only.
- {MODES}.
"""
