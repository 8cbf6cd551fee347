"""The spoken questions of the trajectory and reasoning tasks: drawn by hash, gathered once, spoken, checked."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ieat_data.config import Pipeline, Profile
from ieat_data.errors import UserError
from ieat_data.identity import child_id, number, pick, share
from ieat_data.paths import prompts_dir
from ieat_data.schema import OK, QUESTIONS, SPOKEN, to_table
from ieat_data.stages.base import Context, Inputs, MapStage, Reject, Row, Stage, StageSettings, Task
from ieat_data.stages.screen import SCREENED, screened_out
from ieat_data.stages.speaking import Line, SpeakingSettings, speak_rows

QUESTIONED = ("trajectory", "reasoning")  # the empathy task needs no question
USABLE = ("checked", "accepted")


@functools.cache
def bank(task: str, language: str) -> tuple[Row, ...]:
    """The usable instructions of a task and language. Raises UserError where there is none."""
    path = prompts_dir() / "instructions" / f"{task}.{language}.jsonl"
    rows = []
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.is_file() else [], 1):
        try:
            row = json.loads(line)
            rows.append({k: row[k] for k in ("id", "text", "status")})
        except (ValueError, KeyError) as e:
            raise UserError(f"{path.name}:{i}: not an instruction (id, text, status, origin): {e}") from None
    usable = tuple(r for r in rows if r["status"] in USABLE)
    if not usable:
        raise UserError(f"prompts/instructions/{path.name}: no instruction with status {' or '.join(USABLE)}")
    return usable


def draw_instruction(row: str, task: str, language: str, ctx: Context) -> Row:
    """Text, speaker and placement for one target, by hash of its id."""
    salt, config = ctx.pipeline.seed, ctx.pipeline.instructions
    text = pick(bank(task, language), "instruction", row, salt)
    placement = config.placement
    if placement == "joined":
        before = share("placement", row, salt) < config.before_share
        placement = "joined_before" if before else "joined_after"  # type: ignore[assignment]
    speaker = pick(ctx.voices(language), "instruction speaker", row, salt)
    return {"id": text["id"], "text": text["text"], "speaker": speaker, "placement": placement}


def question_id(instruction: str, speaker: str) -> str:
    return child_id(instruction, "questions", speaker)


class QuestionsSettings(StageSettings):
    shards: int = Field(1, ge=1, description="shards of spoken questions; about 1,000 questions each do well")


class Questions(Stage):
    """The distinct (text, speaker) pairs that accepted targets drew. A barrier over light columns."""

    name = "questions"
    inputs = ("inject", "inject_dialogues")
    optional = (*SCREENED["inject"], *SCREENED["inject_dialogues"])
    schema = QUESTIONS
    Settings = QuestionsSettings

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        reads = tuple((t, s) for t in (*self.inputs, *self.optional) for s in shards(t))
        yield Task(self.name, "all", tuple(f"questions-{i:05d}" for i in range(self.settings.shards)), reads)

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        buckets: dict[str, dict[str, Row]] = {shard: {} for shard in task.outputs}
        seen: set[tuple[str, str]] = set()
        for table, shard in task.reads:
            if table not in self.inputs:
                continue
            targets = inputs.read(table, shard, ["id", "instruction", "language", "status"])
            if out := screened_out(inputs, table, shard):
                targets = targets.filter(pc.invert(pc.is_in(targets["id"], pa.array(out, pa.string()))))
            for drawn in _drawn(targets):
                pair = drawn["id"], drawn["speaker"]
                if pair in seen:
                    continue
                seen.add(pair)
                key = question_id(*pair)
                bucket = task.outputs[number("bucket", key) % len(task.outputs)]
                buckets[bucket][key] = {
                    "id": key,
                    "instruction_id": drawn["id"],
                    "language": drawn["language"],
                    "text": drawn["text"],
                    "speaker": drawn["speaker"],
                    "status": OK,
                }
        for shard, rows in buckets.items():
            yield shard, to_table([rows[k] for k in sorted(rows)], self.schema)


def _drawn(targets: pa.Table) -> list[Row]:
    """The distinct questions that accepted targets of one shard drew."""
    fit = targets.filter(pc.and_(pc.equal(targets["status"], OK), pc.is_valid(targets["instruction"])))
    columns = {name: pc.struct_field(fit["instruction"], name) for name in ("id", "text", "speaker")}
    distinct = pa.table({**columns, "language": fit["language"]}).group_by([*columns, "language"]).aggregate([])
    rows: list[Row] = distinct.to_pylist()
    return rows


class SpeakQuestions(MapStage):
    """Each drawn pair is spoken once."""

    name = "speak_questions"
    inputs = ("questions",)
    whole = ("speakers",)
    columns: ClassVar = {"questions": ("language", "text", "speaker")}
    engines = ("tts", "asr")
    schema = SPOKEN
    Settings = SpeakingSettings

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        lines = [Line(r["id"], r["text"], r["language"], r["speaker"]) for r in rows]
        return speak_rows(lines, self.name, self.settings, ctx)
