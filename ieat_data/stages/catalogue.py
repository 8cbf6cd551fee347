"""The stages that a pipeline may use: ours, and those of its own that it names under `stages` or `configs`."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ieat_data.config import Pipeline
from ieat_data.data.schema import SAMPLES
from ieat_data.errors import UserError, did_you_mean
from ieat_data.plugins import Kind
from ieat_data.renamed import RENAMED_STAGES, now_called
from ieat_data.stages import CONFIGS, SOURCE_TABLES, STAGES, UNIONS
from ieat_data.stages.base import Stage
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.row_by_row import RowByRow

_NEEDS = ("name", "row", "estimate()", "run()", "configured()")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Catalogue:
    """Stages by the name of their table, and what is known of them.

    `tables`: the name of a table by the name that a pipeline gives its stage, where the two differ (module:Class).
    `gates`: table → the tables that hold rows of it back, in their order.
    """

    stages: Mapping[str, Stage]
    tables: Mapping[str, str]
    gates: Mapping[str, tuple[str, ...]]

    def table(self, name: str) -> str:
        """Return the table that a pipeline means."""
        return self.tables.get(name, name)

    def inputs(self, table: str, pipeline: Pipeline) -> list[str]:
        """Return the tables that a stage reads."""
        stage = self.stages[table]
        wanted = (t for t in stage.optional if self.stages[t].asked_for(pipeline))
        return [t for i in (*stage.inputs, *stage.broadcast, *wanted) for t in UNIONS.get(i, (i,))]


_OURS = Catalogue(STAGES, {}, GATES)


def row_of(stages: Mapping[str, Stage], table: str) -> type[Any]:
    """Return the class of a table's rows."""
    return stages[UNIONS.get(table, (table,))[0]].row


def catalogue(pipeline: Pipeline) -> Catalogue:
    """Return the stages that a pipeline may use. Raises UserError for a name that nobody has, or that is no stage."""
    blocks = tuple(name for name in pipeline.stages if name not in STAGES)
    configs = tuple(name for name in pipeline.configs if name not in (*CONFIGS, *SOURCE_TABLES.values()))
    return _with_own(pipeline.name, blocks, configs) if blocks or configs else _OURS


@functools.cache
def _with_own(pipeline: str, blocks: tuple[str, ...], configs: tuple[str, ...]) -> Catalogue:
    own: dict[str, Stage] = {}
    tables: dict[str, str] = {}
    for key, known, names in (("stages", STAGES, blocks), ("configs", CONFIGS, configs)):
        for name in names:
            where = f"pipeline {pipeline}: {key}"
            if name not in tables:
                stage = _own(name, where, known)
                if other := next((n for n, t in tables.items() if t == stage.name), None):
                    raise UserError(f"{where}: {other!r} and {name!r} both make a table {stage.name!r}")
                own[stage.name], tables[name] = stage, stage.name
            if key == "configs" and own[tables[name]].schema.names != SAMPLES.names:
                raise UserError(f"{where}: {name!r} makes no samples, so it is no config: see stages.samples.compose")
    every = {**STAGES, **own}
    for stage in own.values():
        if unknown := [t for t in stage.inputs if t not in (*every, *UNIONS)]:
            hint = did_you_mean(unknown[0], (*every, *UNIONS))
            raise UserError(f"pipeline {pipeline}: stages: {stage.key!r} reads {unknown[0]!r}, which is no table{hint}")
        for table, cls in stage.reads.items() if isinstance(stage, RowByRow) else ():
            if (rows := row_of(every, table)) is not cls:
                raise UserError(
                    f"pipeline {pipeline}: stages: {stage.key!r} reads {table!r} as {cls.__name__}: its rows are "
                    f"{rows.__name__}"
                )
    read = {t for stage in own.values() for t in stage.inputs}
    for stage in own.values():
        if not (stage.gate_of or stage.key in configs or stage.name in read):
            raise UserError(
                f"pipeline {pipeline}: stages: nothing reads the table of {stage.key!r}: name the stage under configs, "
                "or say in its class whose rows it holds back (gate_of)"
            )
    return _gated(Catalogue(every, tables, GATES), [s for s in own.values() if s.gate_of], pipeline)


def _own(name: str, where: str, known: Sequence[str] | Mapping[str, object]) -> Stage:
    if told := now_called(name, RENAMED_STAGES):
        raise UserError(f"{where}: {told}")
    kind = Kind("stage", "ieat.stages", dict.fromkeys(known, ""), _NEEDS)
    cls = kind.find(name, where)
    if not (isinstance(cls, type) and issubclass(cls, Stage)):
        raise UserError(f"{where} {name!r} is no stage: expected a subclass of ieat_data.stages.base.Stage")
    if missing := sorted(cls.__abstractmethods__):
        raise UserError(f"{where} {name!r} is no stage yet: it lacks {', '.join(f'{m}()' for m in missing)}")
    stage = cls()
    stage.key = name
    if not _TABLE.fullmatch(stage.name) or stage.name in (*STAGES, *UNIONS):
        why = "is one of ours" if stage.name in (*STAGES, *UNIONS) else "expected lower-case letters, digits and _"
        raise UserError(f"{where} {name!r}: its name {stage.name!r} names its table: {why}")
    return stage


def _gated(known: Catalogue, gates: Sequence[Stage], pipeline: str) -> Catalogue:
    """Let the stages after a table read who of its rows is held back."""
    stages, held = dict(known.stages), dict(known.gates)
    own = {g.name for g in gates}
    for gate in gates:
        of, before = gate.gate_of, {*_before(known, gate.name), *own}
        readers = [n for n in stages if n not in before and _can_read(stages[n], of)]
        if not readers:
            raise UserError(f"pipeline {pipeline}: stages: {gate.key!r}: gate_of {of!r}: no stage reads such rows")
        for name in readers:
            stages[name] = _reading(stages[name], gate)
        held[of] = (*held.get(of, ()), gate.name)
    return Catalogue(stages, known.tables, held)


def _can_read(stage: Stage, table: str) -> bool:
    row_by_row = isinstance(stage, RowByRow) and table in (*stage.inputs, *stage.optional)
    return row_by_row or bool({*GATES.get(table, ())} & {*stage.optional})


def _reading(stage: Stage, gate: Stage) -> Stage:
    """Return a stage that passes by what a gate rejects."""
    other = copy.copy(stage)
    if isinstance(other, RowByRow) and gate.gate_of in (*other.inputs, *other.optional):
        other.inputs = (*other.inputs, gate.name)
    else:
        other.optional = (*other.optional, gate.name)
    return other


def _before(known: Catalogue, table: str) -> Iterator[str]:
    """All tables that a table is made of, itself too."""
    yield table
    stage = known.stages[table]
    for name in (*stage.inputs, *stage.broadcast, *stage.optional):
        for one in UNIONS.get(name, (name,)):
            yield from _before(known, one)
