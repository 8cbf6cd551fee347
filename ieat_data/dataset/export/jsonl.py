"""`jsonl`: rows as plain JSON, one a line, a file for each config; also what the archives hold beside the clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ieat_data.dataset.export.conversation import Row, Turn
from ieat_data.dataset.export.conversation_exporter import JsonLinesExporter


def plain(row: Row, clips: Sequence[Any], transcripts: bool = False) -> dict[str, Any]:
    """Return a row as JSON: `{id, sample, task, language, messages}`.

    A user's message: `{role, text, clip}`. An assistant's: `{role, thought, answer}`, both lists of `{text, origin,
    loss}`: put together they are what the model is to write, tags included; `origin` is `tag`, `model`, `injected` or
    `answer`. `clips`: what stands for each clip of the row, such as its path.
    """
    messages = [_message(turn, clips, transcripts) for turn in row.turns]
    head = {"id": row.id, "sample": row.sample, "task": row.task, "language": row.language}
    return {**head, "messages": messages}


def _message(turn: Turn, clips: Sequence[Any], transcripts: bool) -> dict[str, Any]:
    if turn.role == "assistant":
        parts = {"thought": turn.thought, "answer": turn.answer}
        told = {k: [{"text": p.text, "origin": p.origin, "loss": p.loss} for p in v] for k, v in parts.items() if v}
        return {"role": "assistant", **told}
    found: dict[str, Any] = {"role": "user", "text": turn.text}
    if turn.clip is not None:
        found["clip"] = clips[turn.clip]
    if transcripts and turn.transcript is not None:
        found["transcript"] = turn.transcript
    return found


class Jsonl(JsonLinesExporter):
    """Plain messages, for code of your own: every text says whether it carries a loss, every clip has its turn."""

    def line(self, row: Row) -> Mapping[str, Any]:
        return plain(row, [self.clip(c.data) for c in row.clips], self.settings.transcripts)

    def how_to(self) -> str:
        return """# Plain rows

A line is `{id, sample, task, language, messages}`. A user's message is `{role, text, clip}`; put the clip before the
text. An assistant's is `{role, thought, answer}`: lists of `{text, origin, loss}`. Put the texts together as they
are; those with `loss: true` are what the model is to learn.
"""
