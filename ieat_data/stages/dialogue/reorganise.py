"""A share of the accepted empathy samples becomes dialogues of 2, 3 and 4 turns whose first and last emotion differ.

Dialogues are formed inside fixed groups of consecutive shards, so that memory is bounded by a group and compose reads
a group's audio in sequence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Dialogue, Language, Target, ThinkSpan, Turn, Utterance, WrittenTurn
from ieat_data.data.schema import OK
from ieat_data.hashing import child_id, top_k
from ieat_data.stages.base import Context, Inputs, Made, Stage, Task, groups
from ieat_data.stages.dialogue.dialogues import form, most_used
from ieat_data.stages.dialogue.forecast import dialogues_of
from ieat_data.stages.dialogue.history import made_anew
from ieat_data.stages.dialogue.kind import Kind
from ieat_data.stages.dialogue.recordings import most_in_runs, runs
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES, screened_out
from ieat_data.stages.grouping import ReorganiseSettings
from ieat_data.stages.speech.neighbours import chains, place

PLAIN = ("neutral",)  # where rows are sorted, a dialogue is made of feelings, and has one such turn at most


@row
class Single(Joined):
    """A target that may become a turn."""

    parent: str = Target.parent
    task: str = Target.task
    language: Language = Target.language
    turns: tuple[Turn, ...] = Target.turns
    think: str = Target.think
    think_spans: tuple[ThinkSpan, ...] = Target.think_spans
    answer: str = Target.answer


@row
class Voice:
    """Whose utterance it is, and where it lies in a recording."""

    id: str
    source: str = Utterance.source
    key: str = Utterance.key
    speaker: str = Utterance.speaker
    corpus_id: str | None = Utterance.corpus_id
    recording: str | None = Utterance.recording
    start_s: float | None = Utterance.start_s
    segment_s: float | None = Utterance.segment_s


@row
class Line:
    """A written turn."""

    parent: str = WrittenTurn.parent


class Reorganise(Stage):
    """Empathy samples become dialogues, each at most once; those without a partner stay single."""

    name = "reorganise"
    version = 2  # 2: which replies are made anew
    inputs = ("inject", "utterances")
    optional = (*GATES["inject"], "write_turns", "inject_turns", *GATES["inject_turns"])
    row = Dialogue
    Settings = ReorganiseSettings
    section = "dialogues"

    def estimate(self, forecast: Forecast) -> Load:
        dialogues = dialogues_of(forecast)
        return Load(dialogues, dialogues)

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> dict[str, Any]:
        """Return the empathy samples accepted, selected for dialogues (`pool`), used, and the maximum usable.

        `no_recording`: accepted samples by source, where a recording was wanted and the corpus names none.
        """
        total = Counter({"accepted": 0, "pool": 0, "used": 0, "possible": 0})
        unplaced: Counter[str] = Counter()
        for m in made:
            for r in m.records.values():
                total.update(r.summary["samples"])
                unplaced.update(r.summary.get("no_recording", {}))
        return {**total, **({"no_recording": dict(sorted(unplaced.items()))} if unplaced else {})}

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {"group_shards": pipeline.group_shards, **({"once": PLAIN} if Kind().asked_for(pipeline) else {})}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        also = [t for t in self.optional if shards(t)]
        if self.settings.grouping in ("speaker", "recording"):
            also.append("utterances")
        for name, members in groups(shards("inject"), pipeline.group_shards):
            yield Task(self.name, name, (name,), tuple((t, s) for t in ("inject", *also) for s in members))

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        accepted = _accepted(inputs, "inject")
        use = Counter(accepted=len(accepted), pool=0, used=0, possible=0)
        made: dict[str, Dialogue] = {}
        for turns in self._dialogues(accepted, inputs, ctx, use):
            first, *later = (t.sample or "" for t in turns)
            use["used"] += sum(t.sample in accepted for t in turns)
            anew = made_anew(len(turns), *self.settings.replied)
            made[child_id(first, self.name, ",".join(later))] = Dialogue(accepted[first].target.language, turns, anew)
        ctx.notes["samples"] = dict(use)
        yield task.name, self.table(sorted(made), [made[d] for d in sorted(made)])

    def _dialogues(
        self, accepted: Mapping[str, Accepted], inputs: Inputs, ctx: Context, use: Counter[str]
    ) -> Iterator[tuple[Turn, ...]]:
        """Yield the turns of each dialogue; count in `use` how many samples were drawn, and how many could be used."""
        if self.settings.grouping == "written":
            yield from _written(accepted, inputs, use)
            return
        use["pool"] = round(self.settings.share * len(accepted))
        form = self._neighbours if self.settings.grouping == "recording" else self._strangers
        for samples in form(accepted, inputs, ctx, use):
            yield tuple(accepted[s].turn() for s in samples)

    def _strangers(
        self, accepted: Mapping[str, Accepted], inputs: Inputs, ctx: Context, use: Counter[str]
    ) -> Iterator[list[str]]:
        """Yield dialogues of any samples of a language, or of those of one speaker."""
        taken = top_k(accepted, use["pool"], self.name, ctx.pipeline.seed)
        once = PLAIN if Kind().asked_for(ctx.pipeline) else ()
        voices = _voices(inputs) if self.settings.grouping == "speaker" else {}
        pools: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for sample in taken:
            target = accepted[sample].target
            voice = voices.get(target.parent)
            pools[target.language, voice.speaker or voice.id if voice else ""][sample] = accepted[sample].label
        for _, pool in sorted(pools.items()):
            use["possible"] += most_used(Counter(pool.values()), max(self.settings.turns))
            yield from form(pool, self.settings.turns, once)

    def _neighbours(
        self, accepted: Mapping[str, Accepted], inputs: Inputs, ctx: Context, use: Counter[str]
    ) -> Iterator[list[str]]:
        """Yield dialogues of neighbours: all there are, in the order of a hash, as far as the share allows."""
        by_utterance = {a.target.parent: s for s, a in accepted.items()}
        voices = [v for v in _voices(inputs).values() if v.id in by_utterance]
        ctx.notes["no_recording"] = dict(Counter(v.source for v in voices if place(v) is None))
        samples = [[by_utterance[v.id] for v in chain] for chain in chains(voices, self.settings.max_gap_s)]
        labels = {s: a.label for s, a in accepted.items()}
        use["possible"] = min(use["pool"], most_in_runs(samples, labels))
        found = {run[0]: run for run in runs(samples, labels, self.settings.turns)}
        left = use["pool"]
        for first in top_k(found, len(found), self.name, ctx.pipeline.seed):
            if len(found[first]) <= left:
                left -= len(found[first])
                yield found[first]


def _written(accepted: Mapping[str, Accepted], inputs: Inputs, use: Counter[str]) -> Iterator[tuple[Turn, ...]]:
    """Yield samples with what was written that the same user says next.

    A turn that was lost on its way ends its dialogue, as does a last emotion that is the first one: what remains is
    still whole.
    """
    begun = {r.parent for s in inputs.shards("write_turns") for r in inputs.rows(Line, "write_turns", s)}
    use["pool"] = use["possible"] = sum(s in accepted for s in begun)
    later: dict[str, dict[int, Turn]] = defaultdict(dict)
    for one in _accepted(inputs, "inject_turns").values():
        later[one.target.turns[0].sample or ""][len(one.target.turns)] = one.turn()
    for first in sorted(begun):
        if first not in accepted:
            continue
        dialogue = [accepted[first].turn()]
        while (turn := later[first].get(len(dialogue) + 1)) is not None:
            dialogue.append(turn)
        while len(dialogue) > 1 and dialogue[-1].emotion.label == accepted[first].label:
            dialogue.pop()
        if len(dialogue) > 1:
            yield tuple(dialogue)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An empathy target, and the shard of its utterance."""

    target: Single
    shard: str

    @property
    def label(self) -> str:
        return self.target.turns[-1].emotion.label

    def turn(self) -> Turn:
        """Return it as a turn of a dialogue: its last utterance with the reply and think that were made for it."""
        t = self.target
        return replace(
            t.turns[-1], sample=t.id, shard=self.shard, think=t.think, think_spans=t.think_spans, reply=t.answer
        )


def _accepted(inputs: Inputs, table: str) -> dict[str, Accepted]:
    found: dict[str, Accepted] = {}
    for shard in inputs.shards(table):
        out = screened_out(inputs, table, shard)
        for target in inputs.rows(Single, table, shard):
            if target.status == OK and target.task == "empathy" and target.id not in out:
                found[target.id] = Accepted(target, shard)
    return found


def _voices(inputs: Inputs) -> dict[str, Voice]:
    return {v.id: v for s in inputs.shards("utterances") for v in inputs.rows(Voice, "utterances", s)}
