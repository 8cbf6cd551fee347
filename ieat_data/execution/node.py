"""One table of a plan: its tasks, and which of them are done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ieat_data.stages.base import Stage, Task
from ieat_data.storage.shards import CommitRecord, Table


@dataclass
class Node:
    """One table of the plan, and its progress."""

    stage: Stage
    inputs: tuple[str, ...]  # concrete tables
    description: Mapping[str, Any]  # what the fingerprint hashes
    table: Table
    tasks: list[Task] = field(default_factory=list)
    found: dict[str, list[CommitRecord]] = field(default_factory=dict)  # of earlier runs: stale, or not yet checked
    stale: list[CommitRecord] = field(default_factory=list)  # made from other inputs than those of now
    records: dict[str, CommitRecord] = field(default_factory=dict)  # committed and not stale
    rows: int = 0  # in `records`
    rejects: Counter[str] = field(default_factory=Counter)
    _elsewhere: dict[str, CommitRecord] = field(default_factory=dict)  # joined, and not added yet; by the part's file

    @property
    def name(self) -> str:
        return self.stage.name

    @cached_property
    def shards(self) -> list[str]:
        """Return the shard names in their fixed order."""
        return [s for t in self.tasks for s in t.outputs]

    @cached_property
    def outputs(self) -> frozenset[str]:
        return frozenset(self.shards)

    def add(self, records: Iterable[CommitRecord]) -> list[CommitRecord]:
        """Add records that are not stale; return the new ones."""
        new = [self._elsewhere.pop(r.file, r) for r in records if r.shard not in self.records]
        for record in new:
            self.records[record.shard] = record
            self.rows += record.rows
            self.rejects.update(record.rejects)
        return new

    def drop(self, record: CommitRecord) -> None:
        """Take back a record of `records`: its shard has to be made again."""
        del self.records[record.shard]
        self.rows -= record.rows
        self.rejects.subtract(record.rejects)
        self.stale.append(record)

    def moved(self, records: Iterable[CommitRecord]) -> None:
        """Note where the files of records lie now, which were joined to others."""
        for record in records:
            if (known := self.records.get(record.shard)) is not None and known.file == record.file:
                self.records[record.shard] = record
            elif found := self.found.get(record.shard):
                self.found[record.shard] = [record if r.file == record.file else r for r in found]
            else:  # of a task whose end is not known yet
                self._elsewhere[record.file] = record

    def done(self, task: Task) -> bool:
        return all(s in self.records for s in task.outputs)

    @property
    def kept(self) -> list[CommitRecord]:
        """Return the records that are valid, or may be."""
        return [*self.records.values(), *(r for records in self.found.values() for r in records)]

    @property
    def todo(self) -> list[Task]:
        return [t for t in self.tasks if not self.done(t)]
