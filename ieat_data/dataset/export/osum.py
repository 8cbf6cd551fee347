"""`osum`: lines as OSUM-EChat and HumDial's baseline read them, with the thought in `extra.think_str`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from ieat_data.dataset.export.base import Sample
from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import JsonLinesExporter
from ieat_data.dataset.export.options import ConversationSettings, InjectedField

MOST_HISTORY = 3  # wav_1 to wav_3, txt_1 to txt_3


class OsumSettings(ConversationSettings):
    """The settings of `osum`."""

    masks: ClassVar[bool] = False
    turns: Literal["each", "last"] = Field("each", description="a row for each trained turn, or for the last one")
    history_think: Literal["strip"] = Field("strip", description="the format has no place for thoughts of history")
    injected: InjectedField = None
    think: Literal["field", "none"] = Field("field", description="the thought in `extra.think_str`, or left out")
    audio: Literal["files"] = Field("files", description="clips as files beside the rows")
    transcripts: Literal[True] = Field(True, description="`extra.question` is what was said")


class Osum(JsonLinesExporter):
    """`{key, wav, txt, extra: {think_str, question}, task}`; the turns before are `wav_1…3` and `txt_1…3`.

    `txt` is the reply, `wav` the user's last turn. `txt_N` is the reply of a turn before. A row with more than three
    turns before its last one is left out.
    """

    Settings = OsumSettings

    def rows(self, sample: Sample, config: str) -> list[Row] | str:
        if any(m["role"] == "user" and m["audio"] is None for m in sample["messages"]):
            return "no_clip"
        if any(m["train"] for m in sample["messages"][2 * (MOST_HISTORY + 1) :]):
            return "too_many_turns"
        return super().rows(sample, config)

    def line(self, row: Row) -> Mapping[str, Any]:
        users, replies = row.turns[::2], row.turns[1::2]
        clips = [self.clip(row.clips[u.clip].data) for u in users if u.clip is not None]
        history = {f"wav_{i}": c for i, c in enumerate(clips[:-1], 1)}
        history |= {f"txt_{i}": r.joined() for i, r in enumerate(replies[:-1], 1)}
        last = replies[-1]
        answer = "".join(p.text for p in last.answer)
        tags = [
            "<S2TCHAT>",
            "<TEXT2TOKEN>",
            *(["<HISTORY>"] if history else []),
            *(["<THINK>"] if last.thought else []),
        ]
        extra = {"think_str": "".join(p.text for p in last.thought), "question": users[-1].transcript or ""}
        return {"key": row.id, "wav": clips[-1], "txt": answer, **history, "extra": extra, "task": " ".join(tags)}

    def how_to(self) -> str:
        return """# Lines for OSUM-EChat

One line is one reply: `wav` is heard, `extra.think_str` thought, `txt` answered; `wav_N` and `txt_N` are the turns
before. Its trainer reads tars of such lines: make them with the recipe that it brings.
"""
