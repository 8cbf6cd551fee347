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
from pydantic import Field

from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Dialogue, Language, Target, ThinkSpan, Turn, Utterance
from ieat_data.data.schema import OK
from ieat_data.hashing import child_id, top_k
from ieat_data.stages.base import Context, Inputs, Made, Stage, StageSettings, Task, groups
from ieat_data.stages.dialogue.dialogues import form, most_used
from ieat_data.stages.dialogue.forecast import in_dialogues, turns
from ieat_data.stages.dialogue.history import HowReplied, made_anew
from ieat_data.stages.dialogue.kind import Kind
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES, screened_out

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
    """Whose utterance it is."""

    id: str
    speaker: str | None = Utterance.speaker


class ReorganiseSettings(StageSettings):
    """The settings of `reorganise`."""

    share: float = Field(0.4, ge=0, le=1, description="of the accepted empathy samples, by hash")
    turns: Mapping[int, float] = Field({2: 1.0, 3: 1.0, 4: 1.0}, description="turns → weight in the mix")
    same_speaker: bool = Field(False, description="only utterances of one speaker make a dialogue")
    replies: HowReplied = Field("reuse", description="regenerate: new replies between the first and the last, in order")
    last_reply: HowReplied = Field("reuse", description="regenerate: a new last reply, with history")


class Reorganise(Stage):
    """Empathy samples become dialogues, each at most once; those without a partner stay single."""

    name = "reorganise"
    version = 2  # 2: which replies are made anew
    inputs = ("inject", "utterances")
    optional = GATES["inject"]
    row = Dialogue
    Settings = ReorganiseSettings
    section = "dialogues"

    def estimate(self, forecast: Forecast) -> Load:
        dialogues = in_dialogues(forecast) / turns(forecast)
        return Load(dialogues, dialogues)

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> dict[str, int]:
        """Return the empathy samples accepted, selected for dialogues (`pool`), used, and the maximum usable."""
        total = Counter({"accepted": 0, "pool": 0, "used": 0, "possible": 0})
        for m in made:
            for r in m.records.values():
                total.update(r.summary["samples"])
        return dict(total)

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {"group_shards": pipeline.group_shards, **({"once": PLAIN} if Kind().asked_for(pipeline) else {})}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        screened = [t for t in self.optional if shards(t)]
        for name, members in groups(shards("inject"), pipeline.group_shards):
            reads = [(t, s) for t in ("inject", *screened) for s in members]
            if self.settings.same_speaker:
                reads += [("utterances", s) for s in members]
            yield Task(self.name, name, (name,), tuple(reads))

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        settings: ReorganiseSettings = self.settings
        once = PLAIN if Kind().asked_for(ctx.pipeline) else ()
        accepted = _accepted(inputs)
        taken = top_k(accepted, round(settings.share * len(accepted)), "reorganise", ctx.pipeline.seed)
        speakers = _speakers(inputs) if settings.same_speaker else {}
        pools: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for sample in taken:
            target = accepted[sample].target
            pools[target.language, speakers.get(target.parent, "")][sample] = target.turns[0].emotion.label
        made: dict[str, Dialogue] = {}
        use = Counter(accepted=len(accepted), pool=len(taken))
        for _, pool in sorted(pools.items()):
            use["possible"] += most_used(Counter(pool.values()), max(settings.turns))
            for samples in form(pool, settings.turns, once):
                use["used"] += len(samples)
                turns = tuple(accepted[s].turn() for s in samples)
                anew = made_anew(len(turns), settings.replies, settings.last_reply)
                dialogue = Dialogue(accepted[samples[0]].target.language, turns, anew)
                made[child_id(samples[0], self.name, ",".join(samples[1:]))] = dialogue
        ctx.notes["samples"] = dict(use)
        yield task.name, self.table(sorted(made), [made[d] for d in sorted(made)])


@dataclass(frozen=True, slots=True)
class _Accepted:
    """An empathy target, and the shard of its utterance."""

    target: Single
    shard: str

    def turn(self) -> Turn:
        """Return it as a turn of a dialogue: the utterance with the reply and think that were made for it alone."""
        t = self.target
        return replace(
            t.turns[0], sample=t.id, shard=self.shard, think=t.think, think_spans=t.think_spans, reply=t.answer
        )


def _accepted(inputs: Inputs) -> dict[str, _Accepted]:
    found: dict[str, _Accepted] = {}
    for shard in inputs.shards("inject"):
        out = screened_out(inputs, "inject", shard)
        for target in inputs.rows(Single, "inject", shard):
            if target.status == OK and target.task == "empathy" and target.id not in out:
                found[target.id] = _Accepted(target, shard)
    return found


def _speakers(inputs: Inputs) -> dict[str, str]:
    rows = (r for s in inputs.shards("utterances") for r in inputs.rows(Voice, "utterances", s))
    return {r.id: r.speaker or r.id for r in rows}
