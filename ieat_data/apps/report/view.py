"""The subject of a report: a finished dataset folder by its manifest, or a running build by its commit records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ieat_data.building import load_build
from ieat_data.config import Pipeline
from ieat_data.cost.report import compared_tables
from ieat_data.dataset import manifest
from ieat_data.dataset.opening import MANIFEST, load_manifest, root
from ieat_data.errors import UserError
from ieat_data.execution.node import Node
from ieat_data.execution.overall import kept
from ieat_data.execution.plan import Plan
from ieat_data.storage.open import at
from ieat_data.storage.shards import CommitRecord, Table


@dataclass(frozen=True, slots=True)
class Part:
    """One shard of samples on disk."""

    config: str
    path: Path
    shard: str = ""  # its name in the tables of the work folder

    def columns(self) -> list[str]:
        names: list[str] = pq.read_schema(self.path).names
        return names


@dataclass(frozen=True)
class StageView:
    """One stage of the build. `table` is None if the work folder is not there: then only the counts are known."""

    name: str
    shards: int  # planned; `records` are the finished ones
    rows: int
    ok: int
    rejects: Mapping[str, int]
    table: Table | None = None
    records: Mapping[str, CommitRecord] = field(default_factory=dict)
    says: Mapping[str, str] = field(
        default_factory=dict
    )  # reason code → what it stands for, where the code is not enough

    @property
    def rows_in(self) -> int:
        """Return the number of rows that the stage worked on."""
        return self.ok + sum(self.rejects.values())

    def schema_names(self, record: CommitRecord) -> list[str]:
        """Return the columns of one of its shards."""
        assert self.table is not None
        return self.table.columns(record)


@dataclass(frozen=True)
class View:
    """What a report shows. `made` is the manifest; for a running build, the manifest as it would be now."""

    made: Mapping[str, Any]
    parts: Sequence[Part]
    stages: Mapping[str, StageView]
    cost: Mapping[str, Mapping[str, Any]]
    finished: bool
    progress: Mapping[str, Any] | None = None  # of a running build: `share`, and `left_s` if it can be told


def finished(out: Path, work: Path | None = None) -> View:
    """Return the view of a published folder.

    Rejected rows, times and costs come from its work folder, if that is there.

    Raises:
        UserError: `out` holds no manifest.
    """
    made = load_manifest(out)
    folder = root(out, made)
    work = work or folder / ".work"
    parts = [_published(s["config"], folder / s["path"]) for s in made["shards"]]
    if lost := next((p.path for p in parts if not p.path.is_file()), None):
        raise UserError(f"{lost}: missing, the manifest names it (ieat verify {out} says more)")
    stages = {name: _from_manifest(name, s, work / "tables") for name, s in made["stages"].items()}
    tables = {s.table.name: s.records.values() for s in stages.values() if s.table}
    return View(made, parts, stages, compared_tables(at(work), tables), finished=True)


def _published(config: str, path: Path) -> Part:
    """Return a shard of a published folder: its file is named by the shard and a digest."""
    return Part(config, path, path.stem.rpartition("-")[0])


def _from_manifest(name: str, said: Mapping[str, Any], tables: Path) -> StageView:
    table = Table(tables / said["table"])
    there = table.store.find("plan.json") is not None
    records = table.records() if there else {}
    counts = said["shards"], said["rows"], said["ok"], said["rejects"]
    return StageView(name, *counts, table if there else None, records, said.get("says", {}))


class Building:
    """A build that may be running. `view()` returns what it has committed so far."""

    def __init__(self, work: Path) -> None:
        """Open the build in `work`.

        Raises:
            UserError: no build has begun in `work`, or it cannot be planned on this machine.
        """
        self.plan: Plan = load_build(work)

    def view(self) -> View:
        for node in self.plan.nodes.values():
            found = node.table.found()
            node.moved(r for records in found.values() for r in records)
            node.found = {s: r for s, r in found.items() if s not in node.records}
            node.stale = []
            for task in node.tasks if node.found else ():
                self.plan.take_found(node, task)
        configs = self.plan.configs
        files = {n.name: [(r.file, r) for r in n.records.values() if r.rows] for n in configs if n.records}
        made = manifest.make(self.plan, files, read_samples=False)
        parts = [Part(n.name, n.table.part(r).path, r.shard) for n in configs for r in n.records.values() if r.rows]
        stages = {name: _from_node(node, self.plan.pipeline) for name, node in self.plan.nodes.items()}
        tables = {n.table.name: n.records.values() for n in self.plan.nodes.values()}
        done = not any(n.todo for n in self.plan.nodes.values())
        cost = compared_tables(self.plan.work, tables)
        return View(made, parts, stages, cost, finished=done, progress=None if done else kept(self.plan.work))


def _from_node(node: Node, pipeline: Pipeline) -> StageView:
    ok, rejects = sum(r.ok for r in node.records.values()), dict(node.rejects.most_common())
    said = node.stage.says(pipeline)
    return StageView(node.name, len(node.shards), node.rows, ok, rejects, node.table, dict(node.records), said)


def view_of(out: Path, work: Path | None = None) -> View:
    """Return the view of a folder: published, or a build in progress.

    Raises:
        UserError: it is neither.
    """
    if (out / MANIFEST).is_file() or out.is_file():
        return finished(out, work)
    return Building((work or out / ".work").resolve()).view()


def spread(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """Distribute `n` places over lots of these sizes, as evenly as possible; others get what a small lot leaves."""
    given: dict[str, int] = {}
    for i, name in enumerate(sorted(sizes, key=lambda c: (sizes[c], c))):
        left = n - sum(given.values())
        given[name] = min(sizes[name], left // (len(sizes) - i))
    return given
