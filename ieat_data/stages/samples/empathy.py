"""Stage 1-2: empathetic replies, to one utterance and over dialogues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ieat_data.config import Pipeline, Profile
from ieat_data.data.rows import Dialogue, Sample
from ieat_data.hashing import child_id
from ieat_data.stages.base import Context, Inputs, Task
from ieat_data.stages.dialogue.forecast import in_dialogues, targets
from ieat_data.stages.dialogue.history import per_dialogue, with_reply
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.grouping import settings_of
from ieat_data.stages.samples.compose import (
    WRITTEN,
    Compose,
    Composition,
    Utterances,
    accepted,
    spoken_of,
    spoken_reply,
    wanted_by,
)

SPOKEN = ("speak_replies", "speak_turn_replies")


class Empathy(Compose):
    """Empathetic replies: single turns, and the dialogues made from some of them.

    A dialogue of which a new reply was rejected is none: its turns stay single.
    """

    name = "stage1_2_empathy"
    inputs = ("utterances", "transcribe", "inject", "reorganise", "inject_dialogues")
    optional = (*SPOKEN, *WRITTEN, *GATES["inject"], *GATES["inject_dialogues"])
    single = ("inject", "reorganise")
    dialogue = ("reorganise", "inject_dialogues")

    def estimate(self, forecast: Forecast) -> Load:
        of = forecast.stages["reorganise"].settings
        anew = per_dialogue(of.turns, *of.replied)
        dialogues = targets(forecast, "inject_dialogues", "empathy") / anew if anew else forecast.loads["reorganise"].ok
        singles = targets(forecast, "inject", "empathy") - in_dialogues(forecast)
        return self.forecast_samples(forecast, singles, dialogues, asked=False)

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        lost = {"lost_dialogues": "single"} if _answers_anew(pipeline) else {}
        return {**super().depends(pipeline, profile), **lost}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        """Yield the tasks; those for single turns read which dialogues are whole, where new replies may be lost."""
        gates = [t for t in GATES["inject_dialogues"] if t in self.optional]
        also = {t: frozenset(shards(t)) for t in ("inject_dialogues", *gates)} if _answers_anew(pipeline) else {}
        for task in super().tasks(shards, pipeline, profile):
            groups = [s for t, s in task.reads if t == "reorganise"]
            more = [(t, g) for t in also for g in groups if g in also[t] and (t, g) not in task.reads]
            yield replace(task, reads=(*task.reads, *more))

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Sample]:
        made = (
            t for g in inputs.shards("inject_dialogues") for t in accepted(inputs, "inject_dialogues", g, "empathy")
        )
        replies = {(t.row.parent, len(t.row.turns) - 1): t for t in made}
        drawn = (d for g in inputs.shards("reorganise") for d in inputs.stored(Dialogue, "reorganise", g))
        # where one of its new replies was rejected, that one is in quarantine
        dialogues = [d for d in drawn if all((d.id, place) in replies for place in d.row.anew)]
        singles = {t.sample or "" for d in dialogues for t in d.row.turns}
        if inputs.has("inject", name):
            yield from self._single(name, inputs, singles)
            return
        utterances = Utterances(inputs, wanted_by(d.row for d in dialogues))
        wanted = singles | {t.id for t in replies.values()}
        spoken = {i: clip for table in SPOKEN for i, clip in spoken_of(inputs, table, wanted).items()}
        for d in dialogues:
            new = {place: replies[d.id, place] for place in d.row.anew}
            sample = Composition(child_id(d.id, self.name, 0), "empathy", "stage1_2", d.row.language, utterances)
            for place, alone in enumerate(d.row.turns):
                turn = with_reply(alone, new[place].id, new[place].row) if place in new else alone
                sample.user([utterances.clip(turn.utterance)], turn.transcript, emotion=turn.emotion)
                clip = spoken_reply(spoken.get(turn.sample or ""))
                sample.assistant(turn.reply or "", True, turn.think, turn.think_spans, clip)
            last = new[max(new)].row if new else None
            yield sample.finish(d.id, last.attempts if last else 1, last.seed if last else None)

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


def _answers_anew(pipeline: Pipeline) -> bool:
    """Tell whether dialogues get new replies, which may be rejected."""
    return "regenerate" in settings_of(pipeline).replied
