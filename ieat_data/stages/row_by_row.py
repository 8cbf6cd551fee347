"""Stages that work row by row: they say what they take of a row and what they make of it, as classes.

    @row
    class Said(Joined):
        language: str = Utterance.language
        text: str = Transcript.text

    class Respond(MapStage[Said, Reply]):
        reads = {"utterances": Utterance, "transcribe": Transcript}

The framework joins the tables, keeps ids, status and reasons, and lets a row that raises fail alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

import pyarrow as pa

from ieat_data.data.columns import Joined, blank, columns, from_table, plain, sources
from ieat_data.data.schema import OK, REJECTED, SKIPPED
from ieat_data.errors import UserError, did_you_mean
from ieat_data.hashing import child_id
from ieat_data.stages.base import Context, Inputs, Reject, Row, Stage, Task, guarded

T = TypeVar("T")
In = TypeVar("In", bound=Joined)
Out = TypeVar("Out")


@dataclass(frozen=True)
class Child(Generic[Out]):
    """A row of an expand stage. One that fails has the columns that are known (`columns.blank`), and why it failed."""

    id: str
    row: Out
    reject: Reject | None = None


class RowByRow(Stage, Generic[In, Out]):
    """What map and expand stages share: `MapStage[Said, Reply]` reads rows of class `Said` and makes those of `Reply`.

    `reads`: the aligned tables that it reads, with the class of their rows. What it takes of them is said by the first
    class, a `Joined`. Tables that only hold rows back need no column there. `beside`: tables whose shards have the same
    names but other rows; `process` reads them itself (`ctx.inputs`). A table of
    `reads` that is `optional` too has nulls in its columns where the pipeline does not ask for it.
    """

    reads: Mapping[str, type[Any]]
    beside: ClassVar[tuple[str, ...]] = ()
    view: type[In]

    def __init_subclass__(cls, **more: Any) -> None:
        for base in vars(cls).get("__orig_bases__", ()):
            given = get_args(base) if issubclass(get_origin(base) or object, RowByRow) else ()
            for name, one in zip(("view", "row"), given, strict=False):
                if isinstance(one, type):
                    setattr(cls, name, one)
        if "reads" in vars(cls):
            cls.inputs = (*(t for t in cls.reads if t not in cls.optional), *cls.beside)
            _check_view(cls.__name__, cls.view, cls.reads)
        super().__init_subclass__(**more)

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Return the columns that it takes of each table."""
        return taken(self.view, self.reads)

    def _joined(self, task: Task, inputs: Inputs) -> list[In]:
        also = [t for t in self.inputs if t not in (*self.reads, *self.beside)]  # gates of a pipeline's own
        also += [t for t in self.optional if t not in self.reads and inputs.has(t, task.name)]
        return joined(inputs, task.name, self.view, self.reads, also, self.optional)

    def _told(self, process: Callable[[list[In], Context], Sequence[T]], rows: list[In], ctx: Context) -> Sequence[T]:
        """Call `process`. A column that a class lacks is in no row: that fails as a whole, in one line."""
        try:
            results = process(rows, ctx)
        except TypeError as e:
            if str(e).startswith(f"{self.row.__qualname__}.__init__()"):
                known = ", ".join(columns(self.row)) or "none"
                raise UserError(f"stage {self.name!r}: {e} (its columns: {known})") from None
            raise
        except AttributeError as e:
            if isinstance(e.obj, self.view):
                hint = did_you_mean(e.name or "", columns(self.view))
                raise UserError(f"stage {self.name!r}: {self.view.__name__} has no column {e.name!r}{hint}") from None
            raise
        if len(results) != len(rows):
            raise UserError(f"stage {self.name!r}: process() gave {len(results)} results for {len(rows)} rows")
        return results

    def _wrong(self, given: object, expected: str) -> UserError:
        return UserError(f"stage {self.name!r}: process() gave a {type(given).__name__}, expected {expected}")


class MapStage(RowByRow[In, Out]):
    """The same rows in the same order, with new columns."""

    @abstractmethod
    def process(self, rows: list[In], ctx: Context) -> Sequence[Out | Reject | None]:
        """Return new columns for each row, or why it is rejected; None for one that the stage is not for."""

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        rows = self._joined(task, inputs)
        fit = [r for r in rows if r.status == OK]
        results = guarded(lambda some: self._told(self.process, some, ctx), fit)
        made = dict(zip((r.id for r in fit), results, strict=True))
        values: list[Out | None] = []
        statuses: list[str] = []
        reasons: list[str | None] = []
        for row in rows:
            result = made.get(row.id)
            reasons.append(None)
            if isinstance(result, self.row):
                values.append(result)
                statuses.append(OK)
                continue
            values.append(None)
            statuses.append(SKIPPED)
            if isinstance(result, Reject):
                ctx.reject(row.id, _with_payload(result, plain(row)))
                statuses[-1], reasons[-1] = REJECTED, result.reason
            elif result is not None:
                raise self._wrong(result, f"{self.row.__name__}, Reject or None")
        yield task.name, self.table([r.id for r in rows], values, statuses, reasons)


class ExpandStage(RowByRow[In, Out]):
    """Children of rows, in the order of their parents; a child that fails keeps its place. Rows name their `parent`."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "row" in vars(cls) and "parent" not in columns(cls.row):
            raise TypeError(f"{cls.__name__}: {cls.row.__name__} has no column `parent`, which says what a row is of")

    @abstractmethod
    def process(self, rows: list[In], ctx: Context) -> Sequence[Sequence[Child[Out]]]:
        """Return the children of each row."""

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        fit = [r for r in self._joined(task, inputs) if r.status == OK]
        made: list[Child[Any]] = []
        results = guarded(lambda some: self._told(self.process, some, ctx), fit)
        for parent, children in zip(fit, results, strict=True):
            if isinstance(children, Reject):
                failed = blank(self.row, parent=parent.id)
                made.append(Child(child_id(parent.id, self.name, "failed"), failed, children))
            else:
                made += children
        for child in made:
            if not isinstance(child, Child):
                raise self._wrong(child, "lists of Child")
            if child.reject:
                ctx.reject(child.id, _with_payload(child.reject, {"id": child.id, **plain(child.row)}))
        statuses = [REJECTED if c.reject else OK for c in made]
        reasons = [c.reject.reason if c.reject else None for c in made]
        yield task.name, self.table([c.id for c in made], [c.row for c in made], statuses, reasons)


def _check_view(stage: str, view: type[Any], reads: Mapping[str, type[Any]]) -> None:
    """Raise TypeError if a stage takes a column of a table that it does not read."""
    named = sources(view)
    for name in columns(view):
        if name in columns(Joined):
            continue
        if name not in named:
            raise TypeError(f"{view.__name__}.{name} names no column: write `{name}: ... = Table.{name}`")
        of, _ = named[name]
        if of not in reads.values():
            raise TypeError(f"{view.__name__}.{name} is a column of {of.__name__}, and {stage}.reads has no such table")


def taken(view: type[Any], reads: Mapping[str, type[Any]]) -> dict[str, tuple[str, ...]]:
    """Return the columns that a `Joined` takes of each table."""
    named = sources(view).values()
    return {table: tuple(column for of, column in named if of is cls) for table, cls in reads.items()}


def joined(
    inputs: Inputs,
    shard: str,
    view: type[In],
    reads: Mapping[str, type[Any]],
    also: Sequence[str] = (),
    optional: Sequence[str] = (),
    only: Collection[str] | None = None,
) -> list[In]:
    """Return the rows of aligned shards, each as one row; `status` is ok if it is ok in all of them.

    Args:
        inputs: what the task reads.
        shard: its name, in all tables.
        view: what is taken of a row.
        reads: the tables, with the class of their rows.
        also: tables whose status counts as well.
        optional: tables that need not be there: then their columns are null.
        only: the ids of those to return; by default all.
    """
    import pyarrow.compute as pc

    wanted = taken(view, reads)
    there = [t for t in reads if t not in optional or inputs.has(t, shard)]
    tables = {t: inputs.read(t, shard, ["id", "status", *wanted.get(t, ())]) for t in (*there, *also)}
    first, *others = tables.items()
    ids, status = first[1].column("id"), first[1].column("status")
    for table, rows in others:
        if not rows.column("id").equals(ids):
            raise ValueError(f"{table}/{shard} does not align with {first[0]}: it has other rows")
        status = pc.if_else(pc.equal(status, OK), rows.column("status"), status)
    table_of_class = {cls: table for table, cls in reversed(list(reads.items()))}
    found = {"id": ids, "status": status}
    for name, (of, column) in sources(view).items():
        table = table_of_class[of]
        null = columns(of)[column].arrow
        found[name] = tables[table].column(column) if table in tables else pa.nulls(len(ids), null)
    rows = pa.table(found)
    return from_table(view, rows if only is None else rows.filter(pc.is_in(ids, pa.array(only, pa.string()))))


def _with_payload(r: Reject, row: Row) -> Reject:
    payload = r.payload if r.payload is not None else {k: v for k, v in row.items() if not isinstance(v, bytes)}
    return Reject(r.reason, r.message, payload)
