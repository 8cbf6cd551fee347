"""Stage 1-2: empathetic replies, to one utterance and over dialogues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ieat_data.data.rows import Dialogue, Sample, Target, Turn
from ieat_data.hashing import child_id
from ieat_data.stages.base import Context, Inputs, Stored
from ieat_data.stages.dialogue.forecast import in_dialogues, targets
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.samples.compose import (
    Compose,
    Composition,
    Utterances,
    accepted,
    spoken_of,
    spoken_reply,
    wanted_by,
)


class Empathy(Compose):
    """Empathetic replies: single turns, and the dialogues made from some of them."""

    name = "stage1_2_empathy"
    inputs = ("utterances", "transcribe", "inject", "reorganise", "inject_dialogues")
    optional = ("speak_replies", *GATES["inject"], *GATES["inject_dialogues"])
    single = ("inject", "reorganise")
    dialogue = ("reorganise", "inject_dialogues")

    def estimate(self, forecast: Forecast) -> Load:
        anew = forecast.stages["reorganise"].settings.last_reply == "regenerate"
        dialogues = targets(forecast, "inject_dialogues", "empathy") if anew else forecast.loads["reorganise"].ok
        singles = targets(forecast, "inject", "empathy") - in_dialogues(forecast)
        return self.forecast_samples(forecast, singles, dialogues, asked=False)

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Sample]:
        dialogues = [d for g in inputs.shards("reorganise") for d in inputs.stored(Dialogue, "reorganise", g)]
        singles = {t.sample or "" for d in dialogues for t in d.row.turns}
        if inputs.has("inject", name):
            yield from self._single(name, inputs, singles)
            return
        anew = {t.row.parent: t for t in accepted(inputs, "inject_dialogues", name, "empathy")}
        utterances = Utterances(inputs, wanted_by(d.row for d in dialogues))
        spoken = spoken_of(inputs, "speak_replies", singles | {t.id for t in anew.values()})
        for d in dialogues:
            new = anew.get(d.id)
            if d.row.regenerate and new is None:
                continue  # its new last reply was rejected and is in quarantine
            sample = Composition(child_id(d.id, self.name, 0), "empathy", "stage1_2", d.row.language, utterances)
            *earlier, last = d.row.turns
            for turn in (*earlier, _with_reply(last, new) if new else last):
                sample.user([utterances.clip(turn.utterance)], turn.transcript, emotion=turn.emotion)
                clip = spoken_reply(spoken.get(turn.sample or ""))
                sample.assistant(turn.reply or "", True, turn.think, turn.think_spans, clip)
            yield sample.finish(d.id, new.row.attempts if new else 1, new.row.seed if new else None)

    def _single(self, name: str, inputs: Inputs, in_dialogues: set[str]) -> Iterator[Sample]:
        utterances = Utterances(inputs)
        targets = [t for t in accepted(inputs, "inject", name, "empathy") if t.id not in in_dialogues]
        spoken = spoken_of(inputs, "speak_replies", {t.id for t in targets})
        for stored in targets:
            target = stored.row
            (turn,) = target.turns
            sample = Composition(child_id(stored.id, self.name, 0), "empathy", "stage1_2", target.language, utterances)
            sample.user([utterances.clip(turn.utterance)], turn.transcript, emotion=turn.emotion)
            clip = spoken_reply(spoken.get(stored.id))
            sample.assistant(target.answer, True, target.think, target.think_spans, clip)
            yield sample.finish(target.parent, target.attempts, target.seed)


def _with_reply(turn: Turn, target: Stored[Target]) -> Turn:
    """Return a turn with the reply that was made anew."""
    made = target.row
    return replace(turn, sample=target.id, reply=made.answer, think=made.think, think_spans=made.think_spans)
