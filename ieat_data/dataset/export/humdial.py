"""`humdial`: the benchmark's own layout: JSON lines by language, task and number of turns, and a WAV for each turn.

There the question is a turn of its own. A dialogue whose question was joined to the last utterance has no reply to that
utterance alone, so it is left out: build with `instructions.placement: own_turn` (`pipelines/humdial.yaml`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from ieat_data.data.audio import seekable
from ieat_data.dataset.export.base import Sample
from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import JsonLinesExporter
from ieat_data.dataset.export.options import ConversationSettings, InjectedField

TASKS = {"trajectory": "task2", "reasoning": "task3", "empathy": "task4"}


class HumDialSettings(ConversationSettings):
    """The settings of `humdial`."""

    masks: ClassVar[bool] = False
    turns: Literal["last"] = Field("last", description="a line is a whole dialogue")
    history_think: Literal["strip"] = Field("strip", description="the layout has no thoughts")
    injected: InjectedField = None
    think: Literal["none"] = Field("none", description="the layout has no thoughts")
    max_audio_s: float | None = Field(
        None, gt=0, description="a dialogue with a longer clip is left out; null: no limit"
    )
    audio: Literal["files"] = Field("files", description="a WAV for each turn")
    audio_root: Literal[None] = Field(None, description="paths are below the language's folder, as in the benchmark")
    transcripts: Literal[True] = Field(True, description="`text` is what was said")


class HumDial(JsonLinesExporter):
    """`{dialogue_id, turns}`; a turn is `{turn_id, split_audio_file, text, emotion, response_text}`."""

    Settings = HumDialSettings

    def rows(self, sample: Sample, config: str) -> list[Row] | str:
        if sample["task"] not in TASKS:
            return "no_task_of_the_benchmark"
        if (drawn := sample["instruction"]) and drawn["placement"] != "own_turn":
            return "joined_question"
        return super().rows(sample, config)

    def file_of(self, row: Row) -> str:
        return f"{row.language}-{self._task(row)}.jsonl"

    def line(self, row: Row) -> Mapping[str, Any]:
        return {"dialogue_id": row.id, "turns": [self._turn(row, i) for i in range(len(row.turns) // 2)]}

    def _task(self, row: Row) -> str:
        return f"{TASKS[row.task]}_{len(row.turns) // 2}"

    def _turn(self, row: Row, i: int) -> dict[str, Any]:
        said, reply = row.turns[2 * i], row.turns[2 * i + 1]
        below = f"{self._task(row)}/{row.id}_{i + 1}.wav"
        if said.clip is not None:
            path = self.out / row.language / below
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(seekable(row.clips[said.clip].data))
        return {
            "turn_id": i + 1,
            "split_audio_file": below,
            "text": said.transcript or said.text,
            "emotion": said.emotion or "neutral",
            "response_text": reply.joined(),
        }

    def how_to(self) -> str:
        return """# HumDial's layout

`LANGUAGE-taskN_TURNS.jsonl`: task2 is emotional trajectory, task3 reasoning, task4 empathy. `split_audio_file` lies
below the folder of the language. The last turn's `response_text` is the target.
"""
