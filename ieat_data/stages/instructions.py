"""The spoken questions of the trajectory and reasoning tasks: drawn by hash, gathered once, spoken, checked."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ieat_data.config import Pipeline, Profile
from ieat_data.errors import UserError
from ieat_data.identity import child_id, fingerprint, number, pick, share
from ieat_data.paths import prompts_dir
from ieat_data.review.decisions import seen_instruction
from ieat_data.review.verdicts import NONE, Verdicts
from ieat_data.schema import OK, QUESTIONS, SPOKEN, to_table
from ieat_data.stages.base import Context, Inputs, MapStage, Reject, Row, Stage, StageSettings, Task
from ieat_data.stages.speaking import Line, SpeakingSettings, speak_rows

QUESTIONED = ("trajectory", "reasoning")  # the empathy task needs no question
USABLE = ("checked", "accepted")
ACCEPTED, REJECTED = "accepted", "rejected"  # by people; no program writes them into a bank


@functools.cache
def written(task: str, language: str) -> tuple[Row, ...]:
    """All instructions of a task and language, as their bank has them. Raises UserError for a line that is none."""
    path = bank_path(task, language)
    rows = []
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.is_file() else [], 1):
        try:
            row = json.loads(line)
            rows.append({k: row[k] for k in ("id", "text", "status")})
        except (ValueError, KeyError) as e:
            raise UserError(f"{path.name}:{i}: not an instruction (id, text, status, origin): {e}") from None
    return tuple(rows)


def bank_path(task: str, language: str) -> Path:
    return prompts_dir() / "instructions" / f"{task}.{language}.jsonl"


def judged(task: str, language: str, verdicts: Verdicts) -> list[Row]:
    """The instructions of a bank as people left them: `accepted` or `rejected` is what they decided of the text as it
    stands, and one that they edited has the new text and an id of its own."""
    name, rows = f"{task}.{language}", []
    if name not in verdicts.instructions:
        return list(written(task, language))
    for row in written(task, language):
        held = verdicts.of_instruction(name, row["id"], seen_instruction(name, row["id"], row["text"]))
        if held is None:
            rows.append(row)
        elif held.rejected:
            rows.append({**row, "status": REJECTED})
        elif held.text in ("", row["text"]):
            rows.append({**row, "status": ACCEPTED})
        else:
            edited = f"{row['id']}~{fingerprint(held.text)[:8]}"
            rows.append({"id": edited, "text": held.text, "status": ACCEPTED})
    return rows


def bank(task: str, language: str, verdicts: Verdicts = NONE) -> tuple[Row, ...]:
    """The usable instructions of a task and language. Raises UserError where there is none."""
    usable = tuple(r for r in judged(task, language, verdicts) if r["status"] in USABLE)
    if not usable:
        name = bank_path(task, language).name
        raise UserError(f"prompts/instructions/{name}: no instruction with status {' or '.join(USABLE)}")
    return usable


def changes(verdicts: Verdicts) -> dict[str, dict[str, str | None]]:
    """What people changed in what is drawn, by bank: an instruction's new text, or None for one that is not drawn."""
    found = {}
    for name in sorted(verdicts.instructions):
        task, _, language = name.partition(".")
        pairs = zip(written(task, language), judged(task, language, verdicts), strict=True)
        other = {
            before["id"]: now["text"] if now["status"] in USABLE else None
            for before, now in pairs
            if (before["text"], before["status"] in USABLE) != (now["text"], now["status"] in USABLE)
        }
        if other:
            found[name] = other
    return found


def draw_instruction(row: str, task: str, language: str, ctx: Context) -> Row:
    """Text, speaker and placement for one target, by hash of its id."""
    salt, config = ctx.pipeline.seed, ctx.pipeline.instructions
    text = _pick(task, language, row, ctx)
    placement = config.placement
    if placement == "joined":
        before = share("placement", row, salt) < config.before_share
        placement = "joined_before" if before else "joined_after"  # type: ignore[assignment]
    speaker = pick(ctx.voices(language), "instruction speaker", row, salt)
    return {"id": text["id"], "text": text["text"], "speaker": speaker, "placement": placement}


def _pick(task: str, language: str, row: str, ctx: Context) -> Row:
    """An instruction by hash. One that is not usable is drawn again, so that no other row's draw changes with it."""
    bank(task, language, ctx.verdicts)  # there is a usable one
    rows = judged(task, language, ctx.verdicts)
    drawn, again = pick(rows, "instruction", row, ctx.pipeline.seed), 0
    while drawn["status"] not in USABLE:
        again += 1
        drawn = pick(rows, "instruction", row, ctx.pipeline.seed, again)
    return drawn


def question_id(instruction: str, speaker: str) -> str:
    return child_id(instruction, "questions", speaker)


class QuestionsSettings(StageSettings):
    shards: int = Field(1, ge=1, description="shards of spoken questions; about 1,000 questions each do well")


class Questions(Stage):
    """The distinct (text, speaker) pairs that accepted targets drew. A barrier over light columns."""

    name = "questions"
    inputs = ("inject", "inject_dialogues")
    schema = QUESTIONS
    Settings = QuestionsSettings

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        reads = tuple((t, s) for t in self.inputs for s in shards(t))
        yield Task(self.name, "all", tuple(f"questions-{i:05d}" for i in range(self.settings.shards)), reads)

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        buckets: dict[str, dict[str, Row]] = {shard: {} for shard in task.outputs}
        seen: set[tuple[str, str]] = set()
        for table, shard in task.reads:
            for drawn in _drawn(inputs.read(table, shard, ["instruction", "language", "status"])):
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
