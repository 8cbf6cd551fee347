"""The spoken questions of the trajectory and reasoning tasks: drawn by hash, collected once, spoken, checked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from pydantic import Field

from ieat_data.checks.instruction import presupposes, wants_short_form
from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Instruction, Language, Question, SpokenText
from ieat_data.data.schema import OK
from ieat_data.decisions.log import seen_instruction
from ieat_data.decisions.verdicts import NONE, Verdicts
from ieat_data.errors import UserError
from ieat_data.hashing import fingerprint, number, pick, rank, share
from ieat_data.prompting.instruction_bank import TASKS, path_of, read
from ieat_data.prompting.instruction_bank import Instruction as BankLine
from ieat_data.stages.base import Context, Inputs, Reject, Stage, StageSettings, Task
from ieat_data.stages.dialogue.asker import bucket, prompts, question_id
from ieat_data.stages.dialogue.forecast import targets
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES, screened_out
from ieat_data.stages.row_by_row import MapStage
from ieat_data.stages.speech.speakers import clones, voices
from ieat_data.stages.speech.speaking import Line, Speaking, speak_rows

QUESTIONED = TASKS
# what else is read of a table of targets, to find the clip that a voice is cloned from
TURNS: Mapping[str, tuple[str, ...]] = {"inject": (), "inject_dialogues": ("turns",)}


def written(task: str, language: str) -> tuple[BankLine, ...]:
    """Return all instructions of a task and language as in their bank; none if there is no bank."""
    path = path_of(task, language)
    return tuple(read(path)) if path.is_file() else ()


@dataclass(frozen=True)
class Judged:
    """An instruction after people's decisions. An edited one has an id of its own; `drawn_as` is the one of before."""

    id: str
    text: str
    status: str
    drawn_as: str
    needs_context: bool
    short_form: bool
    turns: str

    def suits(self, several: bool) -> bool:
        """Return whether it may be asked about several turns, or about one."""
        return self.turns in ("any", "many" if several else "one")


@functools.cache
def bank(task: str, language: str, statuses: tuple[str, ...], verdicts: Verdicts = NONE) -> tuple[Judged, ...]:
    """Return the instructions of a task and language that may be drawn.

    People's decisions on the present text override the status of its line.

    Raises:
        UserError: there is none.
    """
    usable = tuple(o for o in judged(task, language, verdicts) if o.status in statuses and not o.short_form)
    if not usable:
        name = path_of(task, language).name
        raise UserError(f"prompts/instructions/{name}: no instruction with status {' or '.join(statuses)}")
    return usable


def judged(task: str, language: str, verdicts: Verdicts) -> list[Judged]:
    """Return all instructions of a bank after people's decisions."""
    return [_as_judged(one, f"{task}.{language}", verdicts) for one in written(task, language)]


def _as_judged(one: BankLine, name: str, verdicts: Verdicts) -> Judged:
    line = Judged(one.id, one.text, one.status, one.id, one.needs_context, one.short_form, one.turns)
    held = verdicts.of_instruction(name, one.id, seen_instruction(name, one.id, one.text))
    if held is None:
        return line
    match held.outcome(one.text):
        case "edited":
            task, language = one.bank
            return Judged(
                f"{one.id}~{fingerprint(held.text)[:8]}",
                held.text,
                "accepted",
                one.id,
                # a person edits the text, not the tags: of a text that may presuppose more they stay on the safe side
                one.needs_context or presupposes(held.text, task, language),
                wants_short_form(held.text, language),
                one.turns,
            )
        case outcome:
            return replace(line, status=outcome)


def bank_faults(
    banks: Iterable[tuple[str, str]], statuses: tuple[str, ...], several: bool, verdicts: Verdicts = NONE
) -> list[str]:
    """Return which of the banks (task, language) have no instruction that may be drawn, one line per bank.

    Args:
        banks: those to look at.
        statuses: which are drawn.
        several: whether several turns are asked about, or one.
        verdicts: people's decisions.
    """
    faults = []
    for task, language in banks:
        try:
            if not any(one.suits(several) for one in bank(task, language, statuses, verdicts)):
                name, turns = path_of(task, language).name, "many" if several else "one"
                usable = f"status {' or '.join(statuses)} and turns {turns} or any"
                faults.append(f"prompts/instructions/{name}: no instruction with {usable}")
        except UserError as e:
            faults.append(str(e))
    return faults


def changes(verdicts: Verdicts, statuses: tuple[str, ...]) -> dict[str, dict[str, str | None]]:
    """Return how people changed what is drawn, by bank: an instruction's text, or None if it is no longer drawn."""
    found = {}
    for name in sorted(verdicts.instructions):
        task, _, language = name.partition(".")
        other = {}
        for one, now in zip(written(task, language), judged(task, language, verdicts), strict=True):
            before = one.text if one.status in statuses else None
            after = now.text if now.status in statuses else None
            if before != after:
                other[one.id] = after
        if other:
            found[name] = other
    return found


def draw_instruction(row: str, task: str, language: str, several: bool, ctx: Context) -> Instruction:
    """Return text, speaker and placement for one target, by hash of its id.

    Args:
        row: the target's id.
        task: of the target.
        language: of the target.
        several: whether it is asked about several turns, or about one.
        ctx: of the stage.
    """
    salt, config = ctx.pipeline.seed, ctx.pipeline.instructions
    fit = [one for one in bank(task, language, config.statuses, ctx.verdicts) if one.suits(several)]
    placement: str = config.placement
    if placement == "joined":
        placement = "joined_after"
        first = [one for one in fit if not one.needs_context]
        if first and share("placement", row, salt) < config.before_share:
            fit, placement = first, "joined_before"
    # the smallest hash of row and id, not an index: adding or removing an instruction changes no other draw
    text = min(fit, key=lambda one: rank(one.drawn_as, "instruction", row, salt))
    speaker = pick(voices(ctx).of(language), "instruction speaker", row, salt)
    return Instruction(text.id, text.text, speaker, placement)


class QuestionsSettings(StageSettings):
    """The settings of `questions`."""

    shards: int = Field(1, ge=1, description="shards of spoken questions; about 1,000 questions each do well")


class Questions(Stage):
    """The distinct (text, speaker) pairs that accepted targets drew. A barrier over light columns."""

    name = "questions"
    inputs = ("inject", "inject_dialogues")
    optional = (*GATES["inject"], *GATES["inject_dialogues"])
    row = Question
    Settings = QuestionsSettings

    def estimate(self, forecast: Forecast) -> Load:
        """Return the distinct pairs of n draws out of k: k (1 - (1 - 1/k)^n)."""
        pipeline, profile = forecast.pipeline, forecast.profile
        languages = sorted({c.language for c in forecast.corpora})
        distinct = 0.0
        for task in QUESTIONED:
            n = sum(targets(forecast, stage, task) for stage in self.inputs) / max(len(languages), 1)
            for language in languages:
                speakers = min(len(profile.voices(language)) or pipeline.speakers, pipeline.speakers)
                pairs = len(bank(task, language, pipeline.instructions.statuses)) * speakers
                if pipeline.instructions.voice == "user" and clones(profile):
                    pairs *= 1000  # nearly each user has a voice of their own
                distinct += pairs * (1 - (1 - 1 / pairs) ** n)
        return Load(distinct, distinct)

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        reads = tuple((t, s) for t in (*self.inputs, *self.optional) for s in shards(t))
        yield Task(self.name, "all", tuple(f"questions-{i:05d}" for i in range(self.settings.shards)), reads)

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        import pyarrow.compute as pc

        buckets: dict[str, dict[str, Question]] = {shard: {} for shard in task.outputs}
        seen: set[str] = set()
        for table, shard in task.reads:
            if table not in self.inputs:
                continue
            drawing = inputs.read(table, shard, ["id", "instruction", "language", "status", *TURNS[table]])
            if out := screened_out(inputs, table, shard):
                drawing = drawing.filter(pc.invert(pc.is_in(drawing["id"], pa.array(out, pa.string()))))
            for drawn in _drawn(drawing):
                key, clip = question_id(drawn["id"], drawn["speaker"], drawn["clip"]), drawn["clip"]
                if key in seen:
                    continue
                seen.add(key)
                held = _shard_of(clip, drawing, shard) if clip else None
                n = len(task.outputs)
                place = task.outputs[bucket(held, n) if held else number("bucket", key) % n]
                buckets[place][key] = Question(
                    drawn["id"], drawn["language"], drawn["text"], drawn["speaker"], clip, held
                )
        for shard, rows in buckets.items():
            yield shard, self.table(sorted(rows), [rows[k] for k in sorted(rows)])


def _drawn(targets: pa.Table) -> list[dict[str, Any]]:
    """Return the distinct questions that accepted targets of one shard drew."""
    import pyarrow.compute as pc

    fit = targets.filter(pc.and_(pc.equal(targets["status"], OK), pc.is_valid(targets["instruction"])))
    columns = {name: pc.struct_field(fit["instruction"], name) for name in ("id", "text", "speaker", "clip")}
    distinct = pa.table({**columns, "language": fit["language"]}).group_by([*columns, "language"]).aggregate([])
    rows: list[dict[str, Any]] = distinct.to_pylist()
    return rows


def _shard_of(utterance: str, drawing: pa.Table, shard: str) -> str:
    """Return the shard of an utterance that targets of one shard are about: of a single one it has the same name."""
    if "turns" not in drawing.column_names:
        return shard
    import pyarrow.compute as pc

    turns = pc.list_flatten(drawing["turns"])
    ids, shards = pc.struct_field(turns, "utterance"), pc.struct_field(turns, "shard")
    found: str = shards[pc.index(ids, utterance).as_py()].as_py()
    return found


@row
class Drawn(Joined):
    """A question, and who asks it."""

    language: Language = Question.language
    text: str = Question.text
    speaker: str = Question.speaker
    clip: str | None = Question.clip
    clip_shard: str | None = Question.clip_shard


class SpeakQuestions(Speaking, MapStage[Drawn, SpokenText]):
    """Each drawn pair is spoken once."""

    name = "speak_questions"
    scattered = True  # a shard of samples draws one question in a hundred
    version = 2  # 2: voices cloned from the user's clips
    reads: Mapping[str, type[Any]] = {"questions": Question}

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.spoken(self.name, forecast.loads["questions"].ok, self.engines)

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        cloned = pipeline.instructions.voice == "user" and clones(profile)
        questions = list(shards("questions"))
        for task in super().tasks(shards, pipeline, profile):
            place = questions.index(task.name)
            clips = [s for s in shards("utterances") if bucket(s, len(questions)) == place] if cloned else []
            yield replace(task, reads=(*task.reads, *(("utterances", s) for s in clips)))

    def process(self, rows: list[Drawn], ctx: Context) -> list[SpokenText | Reject]:
        own = prompts(ctx.inputs, [(r.clip_shard, r.clip) for r in rows if r.clip and r.clip_shard])
        lines = [Line(r.id, r.text, r.language, r.speaker, prompt=own[r.clip] if r.clip else None) for r in rows]
        return speak_rows(lines, self.name, self.settings, ctx)
