"""`openai`: chat messages as OpenAI-compatible tools read them, with `weight` 0 or 1 for each reply."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from ieat_data.data.audio import container
from ieat_data.dataset.export.conversation import Clip, Row, Turn
from ieat_data.dataset.export.conversation_exporter import JsonLinesExporter
from ieat_data.dataset.export.options import ConversationSettings, InjectedField, ThinkField


class OpenAISettings(ConversationSettings):
    """The settings of `openai`."""

    masks: ClassVar[bool] = False
    injected: InjectedField = None
    think: ThinkField = "field"
    transcripts: Literal[False] = Field(False, description="not written: messages have no place for them")


class OpenAI(JsonLinesExporter):
    """`{messages: [{role, content, weight, reasoning_content}]}`.

    A user's content is a list of parts: `audio_url` with a path (`audio=files`), or `input_audio` with base64
    (`embed`). `weight` is 0 for replies that carry no loss. `reasoning_content` is the thought (`think=field`).
    """

    Settings = OpenAISettings

    def line(self, row: Row) -> Mapping[str, Any]:
        return {"messages": [self._message(turn, row) for turn in row.turns]}

    def _message(self, turn: Turn, row: Row) -> dict[str, Any]:
        if turn.role == "user":
            parts = [] if turn.clip is None else [self._audio(row.clips[turn.clip])]
            return {"role": "user", "content": parts + ([{"type": "text", "text": turn.text}] if turn.text else [])}
        found: dict[str, Any] = {"role": "assistant", "content": turn.joined(), "weight": int(turn.loss)}
        if self.settings.think == "field" and turn.thought:
            found["content"] = "".join(p.text for p in turn.answer)
            found["reasoning_content"] = "".join(p.text for p in turn.thought)
        return found

    def _audio(self, clip: Clip) -> dict[str, Any]:
        if self.settings.audio == "files":
            return {"type": "audio_url", "audio_url": {"url": self.clip(clip.data)}}
        data = base64.b64encode(clip.data).decode()
        return {"type": "input_audio", "input_audio": {"data": data, "format": container(clip.data)}}

    def how_to(self) -> str:
        return """# Chat messages

`weight` says which replies carry a loss; `reasoning_content` is the thought. A tool that reads neither trains every
reply, and no thought: look at one row with its labels before you start.
"""
