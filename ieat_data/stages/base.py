"""What a stage is: a frozen description (inputs, engines, prompts, settings) and a function over one shard.

Three kinds: `MapStage` (the same rows in the same order, new columns), `ExpandStage` (children with a `parent`) and
plain `Stage` for those that read a source or regroup rows behind a barrier. The runner owns caching, retry and commit.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ieat_data.config import Pipeline, Profile, Strict
from ieat_data.data.schema import OK, REJECTED, SKIPPED, to_table
from ieat_data.decisions.verdicts import NONE, Verdicts
from ieat_data.engines.base import NOT_RECORDED, Sampling, SpeakerPrompt
from ieat_data.engines.client import Client, EngineDown
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.errors import UserError
from ieat_data.hashing import child_id
from ieat_data.paths import prompts_dir
from ieat_data.prompting.prompts import Prompts
from ieat_data.storage.shards import read_part

Row = dict[str, Any]
T = TypeVar("T")
_PAYLOAD_CHARS = 4000  # of a quarantined value; audio stays in its own table


class StageSettings(Strict):
    max_reject_rate: float | None = Field(None, gt=0, le=1, description="in place of the pipeline's")


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work: it reads committed shards and commits its `outputs`."""

    table: str
    name: str
    outputs: tuple[str, ...]
    reads: tuple[tuple[str, str], ...] = ()  # (table, shard)
    unit: Mapping[str, Any] | None = None  # what a source stage reads


@dataclass(frozen=True)
class Reject:
    """Why a row goes no further. `message` and `payload` are kept in the quarantine file."""

    reason: str
    message: str = ""
    payload: Any = None


class Inputs:
    """The shards that a task reads: (table, shard) → the file that holds it."""

    def __init__(self, parts: Mapping[tuple[str, str], Path]) -> None:
        self._parts = parts

    def shards(self, table: str) -> list[str]:
        return [s for t, s in self._parts if t == table]

    def has(self, table: str, shard: str) -> bool:
        return (table, shard) in self._parts

    def rows(self, table: str, shard: str, columns: Sequence[str] | None = None) -> list[Row]:
        rows: list[Row] = self.read(table, shard, columns).to_pylist()
        return rows

    def read(self, table: str, shard: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows as Arrow has them: for a barrier, which must not take every row of a build into Python."""
        return read_part(self._parts[table, shard], columns)


@dataclass
class Context:
    """What a stage's task works with."""

    pipeline: Pipeline
    profile: Profile
    engines: Mapping[str, Client] = field(default_factory=dict)
    speakers: Sequence[Row] = ()  # rows of the `speakers` table, where the task reads it
    verdicts: Verdicts = NONE  # what people decided, for a stage that heeds it (`Stage.heeds`)
    quarantine: list[Row] = field(default_factory=list)
    removed: list[Row] = field(default_factory=list)  # as `quarantine`, of rows that keep no place in the table
    # where files may lie that are wanted for as long as the task; none: where the system has them
    scratch: Path | None = None
    notes: dict[str, Any] = field(default_factory=dict)  # what the task's commit records say besides

    @property
    def prompts(self) -> Prompts:
        return load_prompts(str(self.profile.engines["llm"].settings["descriptor"]))

    def sampling(self, kind: Literal["thinking", "answering"], max_tokens: int) -> Sampling:
        """As the model's descriptor recommends it, with the stage's budget of tokens."""
        known = self.prompts.descriptor.sampling
        recommended = (known.thinking if kind == "thinking" else known.answering).request()
        return replace(recommended, max_tokens=max_tokens)

    def voices(self, language: str) -> list[str]:
        """The speakers of this build in a language; where none of its own has a prompt, all of them: a cloned voice
        speaks the other language too."""
        own = [s["voice"] for s in self.speakers if s["language"] == language]
        return sorted(own or (s["voice"] for s in self.speakers))

    def prompt(self, voice: str) -> SpeakerPrompt | None:
        """What a TTS engine is to clone `voice` from; None for a voice that it has by itself."""
        s = next(s for s in self.speakers if s["voice"] == voice)
        return None if s["audio"] is None else SpeakerPrompt(s["audio"], s["transcript"], s["language"])

    def reject(self, row: str, r: Reject) -> None:
        """Put a row into quarantine."""
        self.quarantine.append({"id": row, "reason": r.reason, "message": r.message, "payload": _plain(r.payload)})

    def remove(self, row: str, r: Reject) -> None:
        """Put a row into quarantine that the next shard would hold, and does not."""
        self.removed.append({"id": row, "reason": r.reason, "message": r.message, "payload": _plain(r.payload)})


@functools.cache
def load_prompts(descriptor: str) -> Prompts:
    return Prompts(prompts_dir(), load_descriptor(descriptor))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        value = f"{len(value)} bytes: {value[:_PAYLOAD_CHARS].hex()}"
    if isinstance(value, str):
        return value if len(value) <= _PAYLOAD_CHARS else value[:_PAYLOAD_CHARS] + "…"
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


class Stage:
    """A table's maker. Subclasses set the class variables and `run`."""

    name: ClassVar[str]
    version: ClassVar[int] = 1  # raise it when the rows come out different for the same inputs
    inputs: ClassVar[tuple[str, ...]] = ()
    whole: ClassVar[tuple[str, ...]] = ()  # small tables that each task reads all of
    optional: ClassVar[tuple[str, ...]] = ()  # tables that are made and read where the pipeline asks for them
    engines: ClassVar[tuple[str, ...]] = ()
    prompts: ClassVar[tuple[str, ...]] = ()  # globs under prompts/
    schema: ClassVar[pa.Schema]
    Settings: ClassVar[type[StageSettings]] = StageSettings
    expected: ClassVar[frozenset[str]] = frozenset()  # reasons that are no sign of trouble

    def __init__(self, settings: Any) -> None:
        self.settings = settings  # an instance of `Settings`

    @classmethod
    def asked_for(cls, pipeline: Pipeline) -> bool:
        """Of a table that is optional to others: is it to be made? As it stands: where there is a block for it."""
        return cls.name in pipeline.stages

    def identity(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        """What else the rows depend on (a source's files, the size of a group)."""
        return {}

    def heeds(self, verdicts: Verdicts, pipeline: Pipeline) -> Mapping[str, Any]:
        """The part of people's decisions that its rows depend on; empty where they change nothing."""
        return {}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        """The stage's work, given the shard names of its inputs. As it stands: a task for each shard."""
        known = {t: frozenset(shards(t)) for t in (*self.inputs, *self.optional)}
        whole = tuple((t, s) for t in self.whole for s in shards(t))
        for shard in shards(self.inputs[0]):
            reads = tuple((t, shard) for t in known if shard in known[t])
            yield Task(self.name, shard, (shard,), reads + whole)

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        """What a shard's commit record says of it besides its rows and rejects: of clips, how many seconds they are."""
        if "duration_s" not in table.schema.names:
            return {}
        return {"audio_s": round(pc.sum(table.column("duration_s")).as_py() or 0.0, 3)}

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        """Yields (shard, its table) for each of the task's outputs."""
        raise TypeError(f"{type(self).__name__} has no run")


def groups(shards: Sequence[str], size: int) -> list[tuple[str, tuple[str, ...]]]:
    """Fixed groups of consecutive shards, with their names."""
    return [(f"group-{i // size:05d}", tuple(shards[i : i + size])) for i in range(0, len(shards), size)]


class MapStage(Stage):
    """The same rows in the same order. `columns`: what is read of each input (`id` and `status` always are)."""

    columns: ClassVar[Mapping[str, tuple[str, ...]]]

    def process(self, rows: list[Row], ctx: Context) -> Sequence[Row | Reject | None]:
        """New columns for each row, or why it is rejected; None for one that the stage is not for."""
        raise TypeError(f"{type(self).__name__} has no process")

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        read = {t: c for t, c in self.columns.items() if t not in self.optional or inputs.has(t, task.name)}
        merged = merge(inputs, task.name, read)
        fit = [r for r in merged if r["status"] == OK]
        results = dict(zip((r["id"] for r in fit), guarded(lambda some: self.process(some, ctx), fit), strict=True))
        out: list[Row] = []
        for row in merged:
            result = results.get(row["id"])
            if result is None:
                out.append({"id": row["id"], "status": SKIPPED})
            elif isinstance(result, Reject):
                ctx.reject(row["id"], _with_payload(result, row))
                out.append({"id": row["id"], "status": REJECTED, "reason": result.reason})
            else:
                out.append({"id": row["id"], **result, "status": OK})
        yield task.name, to_table(out, self.schema)


class ExpandStage(Stage):
    """Children of rows, in the order of their parents; a child that fails keeps its place."""

    columns: ClassVar[Mapping[str, tuple[str, ...]]]

    def process(self, rows: list[Row], ctx: Context) -> list[list[Row | tuple[Row, Reject]]]:
        """For each row its children: a child, or (what is known of it, why it is rejected)."""
        raise TypeError(f"{type(self).__name__} has no process")

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        fit = [r for r in merge(inputs, task.name, self.columns) if r["status"] == OK]
        out: list[Row] = []
        results = guarded(lambda some: self.process(some, ctx), fit)
        for parent, children in zip(fit, results, strict=True):
            if isinstance(children, Reject):
                children = [({"id": child_id(parent["id"], self.name, "failed"), "parent": parent["id"]}, children)]
            for child in children:
                if isinstance(child, tuple):
                    row, why = child
                    ctx.reject(row["id"], _with_payload(why, row))
                    out.append({**row, "status": REJECTED, "reason": why.reason})
                else:
                    out.append({**child, "status": OK})
        yield task.name, to_table(out, self.schema)


def merge(inputs: Inputs, shard: str, columns: Mapping[str, Sequence[str]]) -> list[Row]:
    """Rows of aligned shards as one row each; `status` is ok where it is in all of them."""
    merged: list[Row] = []
    for i, (table, names) in enumerate(columns.items()):
        rows = inputs.rows(table, shard, ["id", "status", *names])
        if i == 0:
            merged = rows
            continue
        for row, more in zip(merged, rows, strict=True):
            if row["id"] != more["id"]:
                raise ValueError(f"{table}/{shard} does not align: {more['id']} stands where {row['id']} should")
            status = row["status"] if row["status"] != OK else more["status"]
            row.update(more, status=status)
    return merged


def guarded(process: Callable[[list[T]], Sequence[Any]], rows: list[T]) -> list[Any]:
    """`process(rows)`; where it raises, row by row, so that the one that breaks it becomes a reject and no other."""
    if not rows:
        return []
    try:
        return list(process(rows))
    except (EngineDown, UserError):  # no fault of a row
        raise
    except Exception:
        if len(rows) == 1:
            return [Reject("internal_error", traceback.format_exc())]
        return [result for row in rows for result in guarded(process, [row])]


def _with_payload(r: Reject, row: Row) -> Reject:
    payload = r.payload if r.payload is not None else {k: v for k, v in row.items() if not isinstance(v, bytes)}
    return Reject(r.reason, r.message, payload)


def retry(
    items: Sequence[T], attempts: int, ask: Callable[[list[tuple[T, int]]], Sequence[Any]]
) -> list[tuple[Any, int]]:
    """Ask for each item until its answer is no `Reject`, at most `attempts` times: (last answer, tries made).

    All items of one round are asked together, so that an engine's batches stay full. A recording that lacks an answer
    lacks it for good: that item is not asked for again.
    """
    answers: list[tuple[Any, int]] = [(Reject("not_asked"), 0)] * len(items)
    open_items = list(range(len(items)))
    for attempt in range(attempts):
        if not open_items:
            break
        got = ask([(items[i], attempt) for i in open_items])
        still_open = []
        for i, answer in zip(open_items, got, strict=True):
            before = answers[i][0]
            if isinstance(answer, Reject) and answer.reason != NOT_RECORDED:
                still_open.append(i)
            elif isinstance(answer, Reject) and attempt:
                answer = replace(answer, message=f"try {attempt} is rejected now ({before.reason}); {answer.message}")
            answers[i] = (answer, attempt + 1)
        open_items = still_open
    return answers
