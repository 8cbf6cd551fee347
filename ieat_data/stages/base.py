"""What a stage is: a frozen description (inputs, engines, prompts, settings) and a function over one shard.

Three kinds: `MapStage` (the same rows in the same order, new columns), `ExpandStage` (children with a `parent`), both
in `row_by_row.py`, and plain `Stage` for those that read a source or regroup rows behind a barrier. The runner owns
caching, retry and commit.

Everything that is special about a stage stands on its class: what it reads and makes, what it would cost (`estimate`),
what can be known to fail before it runs (`faults`), what the manifest and the report say of it. Plan, preflight,
estimate, manifest and report are loops over stages.
"""

from __future__ import annotations

import copy
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from ieat_data import faults
from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import columns, from_table, sources
from ieat_data.data.schema import schema_of, table_of
from ieat_data.decisions.verdicts import NONE, Verdicts
from ieat_data.engines.base import NOT_RECORDED
from ieat_data.engines.client import Client
from ieat_data.errors import UserError
from ieat_data.faults import Kind
from ieat_data.masking import masked, without_secrets
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.storage.parts import Part
from ieat_data.storage.shards import CommitRecord, Table
from ieat_data.strict import Strict, validate

Row = dict[str, Any]
T = TypeVar("T")
R = TypeVar("R")  # a row class (data/columns.py)
_PAYLOAD_CHARS = 4000  # of a quarantined value; audio stays in its own table


class StageSettings(Strict):
    """The settings that every stage has."""

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
    """Why a row is rejected. `message` and `payload` are kept in the quarantine file."""

    reason: str
    message: str = ""
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """A whole row of a table. If it is not ok, any column may be None."""

    id: str
    status: str
    row: R


class Inputs:
    """The shards that a task reads, by table and name."""

    def __init__(
        self, parts: Mapping[tuple[str, str], Part], gates: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self._parts = parts
        self.gates = gates or {}  # table → the tables that hold rows of it back, where the pipeline has more than ours

    def shards(self, table: str) -> list[str]:
        return [s for t, s in self._parts if t == table]

    def has(self, table: str, shard: str) -> bool:
        return (table, shard) in self._parts

    def rows(self, view: type[R], table: str, shard: str, at: NDArray[np.integer[Any]] | None = None) -> list[R]:
        """Return what a row class says of each row of a shard: its own columns, or those that it names of others.

        `at`: only the rows at these places, ascending; the rest is not read.
        """
        taken = sources(view)
        names = {name: taken[name][1] if name in taken else name for name in columns(view)}
        wanted = list(dict.fromkeys(names.values()))
        read = self.read(table, shard, wanted) if at is None else self._parts[table, shard].pick(at, wanted)
        return from_table(view, pa.table({name: read.column(c) for name, c in names.items()}))

    def stored(self, cls: type[R], table: str, shard: str) -> list[Stored[R]]:
        """Return the rows of a shard with all columns; `cls` is the table's row class."""
        read = self.read(table, shard, ["id", "status", *columns(cls)])
        ids, statuses = (read.column(c).to_pylist() for c in ("id", "status"))
        return list(map(Stored, ids, statuses, from_table(cls, read.select(list(columns(cls))))))

    def read(self, table: str, shard: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows as Arrow: for a barrier, which must not convert all rows of a build to Python objects."""
        return self._parts[table, shard].read(columns)


@dataclass
class Context:
    """The context of a stage's task."""

    pipeline: Pipeline
    profile: Profile
    engines: Mapping[str, Client] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=lambda: Inputs({}))
    verdicts: Verdicts = NONE  # what people decided, for a stage whose rows depend on it (`Stage.decision_inputs`)
    quarantine: list[Row] = field(default_factory=list)
    removed: list[Row] = field(default_factory=list)  # like `quarantine`, for rows that leave the table
    # a folder for files that are needed during the task; None: the system's temporary folder
    scratch: Path | None = None
    notes: dict[str, Any] = field(default_factory=dict)  # additions to the task's commit records
    shared: dict[str, Any] = field(default_factory=dict)  # what a stage reads once for all rows of its task

    def reject(self, row: str, r: Reject) -> None:
        """Put a row into quarantine."""
        self.quarantine.append({"id": row, "reason": r.reason, **_kept(r)})

    def remove(self, row: str, r: Reject) -> None:
        """Put into quarantine a row that would be in the next shard, but is left out."""
        self.removed.append({"id": row, "reason": r.reason, **_kept(r)})


def _kept(r: Reject) -> Row:
    return {"message": masked(r.message), "payload": without_secrets(_plain(r.payload))}


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


class Rule(Protocol):
    """A reason for which a stage rejects its output (`checks.base.Check`)."""

    @property
    def code(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def says(self) -> str: ...
    @property
    def fails(self) -> Callable[[Any], bool]: ...


class Made(Protocol):
    """The table of a stage as the manifest sees it."""

    @property
    def name(self) -> str: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def table(self) -> Table: ...
    @property
    def records(self) -> Mapping[str, CommitRecord]: ...
    @property
    def rejects(self) -> Counter[str]: ...


class Stage(ABC):
    """A table's maker. Subclasses set the class variables (`name`, `row`, ...) and implement `run` and `estimate`.

    Stages that are one idea over different tables are instances of one class: `Deduplicate("inject")`.
    """

    name: str
    version: ClassVar[int] = 1  # raise it when the same inputs give other rows
    inputs: tuple[str, ...] = ()
    broadcast: ClassVar[tuple[str, ...]] = ()  # small tables that each task reads completely
    optional: tuple[str, ...] = ()  # tables that are made and read only if the pipeline asks for them
    engines: ClassVar[tuple[str, ...]] = ()
    prompts: ClassVar[tuple[str, ...]] = ()  # globs under prompts/
    row: ClassVar[type[Any]]  # the class of its table's rows (data/rows.py), which makes the schema
    schema: ClassVar[pa.Schema]
    Settings: ClassVar[type[StageSettings]] = StageSettings
    scattered: ClassVar[bool] = False  # each of its readers takes a few rows of a shard
    expected: ClassVar[frozenset[str]] = frozenset()  # reject reasons that are no sign of trouble
    # for a user's own gate: the table whose rows it rejects, and the name that the pipeline gives the stage
    gate_of: ClassVar[str] = ""
    key: str = ""

    # the section (a dotted path) of the manifest, which `describe` fills from all stages that name it
    section: ClassVar[str | None] = None
    # what a report shows of its clips: the measured columns, whether their pace was checked, and their origin
    # (`either`: a shard of spoken queries or of recorded speech)
    measured: tuple[str, ...] = ()
    paced: ClassVar[bool] = False
    clips: Literal["recorded", "spoken", "either"] = "either"

    settings: Any  # an instance of `Settings`

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "row" in vars(cls) and "schema" not in vars(cls):
            cls.schema = schema_of(cls.row)

    def __init__(self, settings: Any = None) -> None:
        self.settings = self.Settings() if settings is None else settings

    def configured(self, pipeline: Pipeline) -> Self:
        """Return this stage with the settings that a pipeline gives it.

        Raises:
            UserError: a setting is invalid.
        """
        name = self.key or self.name
        other = copy.copy(self)
        where = f"pipeline {pipeline.name}: stages.{name}"
        other.settings = validate(self.Settings, pipeline.stages.get(name, {}), where)
        return other

    def asked_for(self, pipeline: Pipeline) -> bool:
        """Tell whether to make a table that is optional to others: by default if the pipeline has a block for it."""
        return (self.key or self.name) in pipeline.stages

    def sources(self, pipeline: Pipeline, profile: Profile) -> Sequence[str]:
        """Return the corpora that this stage reads itself."""
        return ()

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        """Return what else the rows depend on (a source's files, the size of a group)."""
        return {}

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        """Return the checks that its rows must pass, by kind; codes and versions go into the fingerprint."""
        return {}

    def decision_inputs(self, verdicts: Verdicts, pipeline: Pipeline) -> Mapping[str, Any]:
        """Return the part of people's decisions that the rows depend on; empty if they change nothing."""
        return {}

    @abstractmethod
    def estimate(self, forecast: Forecast) -> Load:
        """Return how many rows this stage would process, how many would pass, and its requests to each engine."""

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        """Return what would fail before the first model is loaded, one line per fault."""
        return []

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> Any:
        """Return the manifest's section, from all tables of the plan that name it; without tables: nothing is known."""
        return None

    def reasons(self) -> Mapping[str, str]:
        """Return the stage's reason codes with a one-line description each, as far as one is needed."""
        return {}

    def says(self, pipeline: Pipeline) -> dict[str, str]:
        """Return a sentence for each reason code that has one: of the checks, also a user's own, and of `reasons`."""
        checks = {c.code: c.says for kind in self.checks(pipeline).values() for c in kind}
        lines = {**checks, **self.reasons()}
        return {code: line[0].upper() + line[1:].replace("`", "") for code, line in lines.items() if line}

    def about(self) -> str:
        """Return what the stage does, in a sentence for a reader of reports."""
        return (type(self).__doc__ or "").split("\n")[0].replace("`", "")

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        """Return the stage's tasks, given the shard names of its inputs: by default one per shard."""
        known = {t: frozenset(shards(t)) for t in (*self.inputs, *self.optional)}
        broadcast = tuple((t, s) for t in self.broadcast for s in shards(t))
        for shard in shards(self.inputs[0]):
            reads = tuple((t, shard) for t in known if shard in known[t])
            yield Task(self.name, shard, (shard,), reads + broadcast)

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        """Return what a shard's commit record says besides rows and rejects: for clips, their total seconds."""
        if "duration_s" not in table.schema.names:
            return {}
        import pyarrow.compute as pc  # a command that makes nothing does without

        return {"audio_s": round(pc.sum(table.column("duration_s")).as_py() or 0.0, 3)}

    def table(
        self,
        ids: Sequence[str],
        rows: Sequence[Any],
        statuses: Sequence[str] | None = None,
        reasons: Sequence[str | None] | None = None,
    ) -> pa.Table:
        """Return rows (None: without values) as a shard of this stage's table; by default all are ok."""
        try:
            return table_of(self.row, ids, rows, statuses, reasons)
        except ValueError as e:
            raise UserError(f"stage {self.name!r}: {e}") from None

    @abstractmethod
    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        """Yield (shard, its table) for each of the task's outputs."""


def groups(shards: Sequence[str], size: int) -> list[tuple[str, tuple[str, ...]]]:
    """Return fixed groups of consecutive shards, with their names."""
    return [(f"group-{i // size:05d}", tuple(shards[i : i + size])) for i in range(0, len(shards), size)]


def guarded(process: Callable[[list[T]], Sequence[Any]], rows: list[T]) -> list[Any]:
    """Return `process(rows)`; if that raises, process row by row, so that only the failing row becomes a reject."""
    if not rows:
        return []
    try:
        return list(process(rows))
    except Exception as e:
        if faults.of_exception(e) in (Kind.SERVICE, Kind.SETUP):
            raise  # not the fault of a row
        if len(rows) == 1:
            return [Reject("internal_error", traceback.format_exc())]
        return [result for row in rows for result in guarded(process, [row])]


# reasons after which a row is not asked again
NO_FURTHER = frozenset({NOT_RECORDED, *faults.NOT_AGAIN})


def retry(
    items: Sequence[T], attempts: int, ask: Callable[[list[tuple[T, int]]], Sequence[Any]]
) -> list[tuple[Any, int]]:
    """Ask for each item until its answer is no `Reject`, at most `attempts` times; return (last answer, attempts made).

    All items of one round are asked together, so that an engine's batches stay full. An answer that a recording lacks
    will not appear later, and what is proven to bring the engine down is not tried with another seed.
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
            if isinstance(answer, Reject) and answer.reason not in NO_FURTHER:
                still_open.append(i)
            elif isinstance(answer, Reject) and attempt and answer.reason == NOT_RECORDED:
                answer = replace(answer, message=f"try {attempt} is rejected now ({before.reason}); {answer.message}")
            answers[i] = (answer, attempt + 1)
        open_items = still_open
    return answers
