"""Which rows a row was made from and which were made from it, through the tables of a work folder.

Three things link two rows: the same id (a stage that adds columns), a reference (`parent`, `turns`, `provenance`, a
drawn question), or an id hashed from the other's (a sample and its target). The search follows the shards that tasks
read, so it opens only a few files of a large build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ieat_data.data.schema import OK, REJECTED
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.hashing import child_id
from ieat_data.stages.dialogue.asker import question_id
from ieat_data.storage.parts import Part

Row = Mapping[str, Any]
_NAMING = {"parent", "turns", "provenance"}  # columns that name other rows
QUESTION_TABLES = ("questions", "speak_questions")
_ID_CHARS = 32


@dataclass(frozen=True)
class Place:
    """A row and its place. `row`: its columns without clips and tokens.

    `says` is what a reject's reason stands for, `message` says more about this one.
    """

    stage: str
    shard: str
    part: Part
    row: Row = field(repr=False)
    says: str = ""
    message: str = ""
    payload: Any = field(default=None, repr=False)

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def status(self) -> str:
        """Return `ok`, `rejected`, or `skipped`: an earlier stage rejected the row, or the stage is not for it."""
        return str(self.row.get("status", OK))

    @property
    def reason(self) -> str | None:
        return self.row.get("reason")


class Lineage:
    """The committed rows of a plan's tables."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._read: dict[tuple[str, str], list[Place]] = {}
        self._asked_for = ""

    def find(self, wanted: str) -> list[str]:
        """Return the ids that begin with `wanted`, or those of corpus records with this key; one if it is clear."""
        found: dict[str, None] = {}
        for node in self.plan.nodes.values():
            for record in node.records.values():
                columns = [c for c in ("id", "key") if c in node.stage.schema.names]
                table = node.table.read(record, columns)
                fits = pc.starts_with(table.column("id"), wanted)
                if "key" in columns:
                    fits = pc.or_kleene(fits, pc.equal(table.column("key"), wanted))
                ids = table.filter(fits).column("id").to_pylist()
                ids += [q["id"] for q in node.table.quarantined(record) if q["id"].startswith(wanted)]
                found.update(dict.fromkeys(ids))
                if wanted in found and len(wanted) == _ID_CHARS:
                    return [wanted]
        return list(found)

    def of(self, row_id: str) -> list[Place]:
        """Return the row in all tables, its ancestors and its descendants, in stage order."""
        start = [p for node in self.plan.nodes.values() for p in self._standing(node, row_id)]
        self._asked_for = row_id
        found = {(p.stage, p.shard, p.id): p for p in start}
        for step in (self._before, self._after):
            open_places = list(start)
            while open_places:
                for place in step(open_places.pop()):
                    at = place.stage, place.shard, place.id
                    if at not in found:
                        found[at] = place
                        open_places.append(place)
        order = {name: i for i, name in enumerate(self.plan.nodes)}
        return sorted(found.values(), key=lambda p: order[p.stage])

    def _standing(self, node: Node, row_id: str) -> Iterator[Place]:
        """Yield a row in the shards of one table, found by its id alone."""
        for shard, record in node.records.items():
            ids = node.table.read(record, ["id"]).column("id")
            removed = record.quarantine and any(q["id"] == row_id for q in node.table.quarantined(record))
            if removed or pc.any(pc.equal(ids, row_id)).as_py():
                yield from (p for p in self._places(node, shard) if p.id == row_id)

    def _before(self, place: Place) -> Iterator[Place]:
        """Yield what a row was made from, one step back."""
        node, named = self.plan.nodes[place.stage], _named(place.row)
        task = next(t for t in node.tasks if place.shard in t.outputs)
        same = {t for t, shard in task.reads if shard == place.shard}

        def fits(other: Place) -> bool:
            return other.id in named or other.id == place.id or child_id(other.id, place.stage, 0) == place.id

        for table, shard in task.reads:
            # shards of the same name are aligned; a barrier also reads all others, in which only named rows count
            if shard == place.shard or (named and table not in same):
                yield from filter(fits, self._places(self.plan.owner(table, shard), shard))

    def _after(self, place: Place) -> Iterator[Place]:
        """Yield what was made from a row, one step forward."""
        question = _question(place.row)
        # many rows draw one question: report what became of this row's question, not what others made from it
        drawn_by_others = place.stage in QUESTION_TABLES and place.id != self._asked_for

        def fits(name: str) -> Callable[[Place], bool]:
            if drawn_by_others:
                return lambda other: other.id == place.id
            made = {place.id, question, child_id(place.id, name, 0)}
            return lambda other: other.id in made or place.id in _named(other.row)

        for node, outputs in self._readers.get((place.stage, place.shard), ()):
            aligned = place.shard in outputs
            if aligned or (question and node.name in QUESTION_TABLES) or _NAMING & set(node.stage.schema.names):
                for shard in (place.shard,) if aligned else outputs:
                    yield from filter(fits(node.name), self._places(node, shard))

    @cached_property
    def _readers(self) -> dict[tuple[str, str], list[tuple[Node, tuple[str, ...]]]]:
        """Return (table, shard) → the tasks that read it."""
        readers: dict[tuple[str, str], list[tuple[Node, tuple[str, ...]]]] = {}
        for node in self.plan.nodes.values():
            for task in node.tasks:
                for table, shard in task.reads:
                    owner = self.plan.owner(table, shard).name
                    readers.setdefault((owner, shard), []).append((node, task.outputs))
        return readers

    def _places(self, node: Node, shard: str) -> list[Place]:
        """Return the rows of a shard, including removed ones; none if it is not committed."""
        at = node.name, shard
        if at not in self._read and (record := node.records.get(shard)):
            part = node.table.part(record)
            rows = node.table.read(record, _light(node.stage.schema)).to_pylist()
            said = {q["id"]: q for q in node.table.quarantined(record)}
            there = {row["id"] for row in rows}
            rows += [{"id": i, "status": REJECTED, "reason": q["reason"]} for i, q in said.items() if i not in there]
            lines = node.stage.says(self.plan.pipeline) if said else {}
            self._read[at] = [
                Place(
                    node.name,
                    shard,
                    part,
                    row,
                    lines.get(row.get("reason") or "", ""),
                    said[row["id"]]["message"],
                    said[row["id"]]["payload"],
                )
                if row["id"] in said
                else Place(node.name, shard, part, row)
                for row in rows
            ]
        return self._read.get(at, [])


def _light(schema: pa.Schema) -> list[str]:
    """Return the columns without clips, tokens and signatures."""

    def heavy(kind: pa.DataType) -> bool:
        numbers = pa.types.is_list(kind) and pa.types.is_integer(kind.value_type)
        return numbers or "binary" in str(kind)

    return [f.name for f in schema if not heavy(f.type)]


def _named(row: Row) -> set[str]:
    """Return the ids that a row names as its origin."""
    made = row.get("provenance") or {}
    named = {row.get("parent"), made.get("parent")}
    named |= {t[c] for t in row.get("turns") or () for c in ("utterance", "sample")}
    named |= {u["utterance"] for u in made.get("utterances", ())}
    named.add(_question(row))
    return {n for n in named if n}


def _question(row: Row) -> str | None:
    """Return the id of the spoken question that a target or sample draws."""
    drawn = row.get("instruction")
    return question_id(drawn["id"], drawn["speaker"], drawn.get("clip")) if drawn else None
