"""Stage 1-2: a spoken question about the user's emotion, and the target that answers it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, Literal

import numpy as np

from ieat_data.data.features import RATE
from ieat_data.data.mix import Piece, match_loudness
from ieat_data.data.rows import Sample, Target
from ieat_data.hashing import child_id, share
from ieat_data.stages.base import Context, Inputs, Stored
from ieat_data.stages.dialogue.asker import question_id
from ieat_data.stages.dialogue.forecast import targets
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.samples.compose import (
    WRITTEN,
    Compose,
    Composition,
    Utterances,
    accepted,
    piece,
    spoken_of,
    wanted_by,
)

_ABOUT = {
    "reasoning": "Why does the user feel so? On single utterances and on dialogues.",
    "trajectory": "How did the user's emotion change? On dialogues.",
}


class Questioned(Compose):
    """A spoken question about the user's emotion, and the target that answers it.

    Args:
        task: `reasoning` (why does the user feel so? on single utterances and on dialogues) or `trajectory` (how did
            the user's emotion change? on dialogues).
    """

    inputs = ("utterances", "transcribe", "inject", "reorganise", "inject_dialogues", "questions", "speak_questions")
    optional = (*WRITTEN, *GATES["inject"], *GATES["inject_dialogues"])
    dialogue = ("reorganise", "inject_dialogues")

    def __init__(self, task: Literal["reasoning", "trajectory"], settings: Any = None) -> None:
        super().__init__(settings)
        self.task, self.name = task, f"stage1_2_{task}"
        self.single = ("inject",) if task == "reasoning" else ()

    def about(self) -> str:
        return _ABOUT[self.task]

    def estimate(self, forecast: Forecast) -> Load:
        singles = targets(forecast, "inject", self.task) if self.single else 0.0
        return self.forecast_samples(forecast, singles, targets(forecast, "inject_dialogues", self.task), asked=True)

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Sample]:
        table = "inject" if inputs.has("inject", name) else "inject_dialogues"
        targets = list(accepted(inputs, table, name, self.task))
        utterances = Utterances(inputs, wanted_by(t.row for t in targets) if table == "inject_dialogues" else None)
        questions = spoken_of(inputs, "speak_questions", {_question(t) for t in targets}, texts="questions")
        # those of one question together: it is decoded once
        for question, asked in groupby(sorted(targets, key=_question), key=_question):
            spoken = questions.get(question)
            if spoken is not None:  # one that could not be spoken is in quarantine
                heard = piece("question", spoken.audio, spoken.id, spoken.speaker)
                for target in asked:
                    yield self._sample(target, heard, utterances, ctx)

    def _sample(self, stored: Stored[Target], heard: Piece, utterances: Utterances, ctx: Context) -> Sample:
        target, drawn = stored.row, stored.row.instruction
        assert drawn is not None
        sample = Composition(child_id(stored.id, self.name, 0), self.task, "stage1_2", target.language, utterances)
        question = replace(heard, ref=drawn.id, speaker=drawn.speaker)
        *history, last = target.turns
        for turn in history:
            sample.user([utterances.clip(turn.utterance)], turn.transcript, emotion=turn.emotion)
            sample.assistant(turn.reply or "", False, turn.think, turn.think_spans)
        clip = utterances.clip(last.utterance)
        if drawn.placement == "own_turn":
            sample.user([clip], last.transcript, emotion=last.emotion)
            if last.reply:
                sample.assistant(last.reply, False, last.think, last.think_spans)
            sample.user([question], drawn.text, kind="question")
        else:
            asked, said = match_loudness(question.samples, clip.samples, RATE)
            low, high = ctx.pipeline.instructions.gap_s
            gap_s = low + (high - low) * share("gap", stored.id, ctx.pipeline.seed)
            gap = Piece("gap", np.zeros(round(gap_s * RATE), np.float32))
            parts = [
                (replace(question, samples=asked), drawn.text),
                (replace(clip, samples=said), last.transcript),
            ]
            if drawn.placement == "joined_after":
                parts.reverse()
            transcript = (" " if target.language == "en" else "").join(text for _, text in parts)
            sample.user([parts[0][0], gap, parts[1][0]], transcript, emotion=last.emotion)
        sample.assistant(target.answer, True, target.think, target.think_spans)
        return sample.finish(target.parent, target.attempts, target.seed, drawn)


def _question(target: Stored[Target]) -> str:
    drawn = target.row.instruction
    assert drawn is not None
    return question_id(drawn.id, drawn.speaker, drawn.clip)
