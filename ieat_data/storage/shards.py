"""Tables of shards, with one commit protocol that holds for any number of writers, killed at any time.

    TABLE/part-K.ATTEMPT.parquet          the rows; a part that no record names is an orphan
    TABLE/quarantine-K.ATTEMPT.jsonl      payload, reason and traceback of the rows rejected here
    TABLE/records/K.INPUTS.json           the commit record; created only if absent: the first writer wins
    TABLE/records/rollup-N-ID.jsonl       many commit records in one file: a dozen files hold fifty thousand
    TABLE/pack-ID.parquets                small parts of many shards, one after the other; their records say where
    TABLE/quarantine-ID.jsonl             the quarantined rows of many shards, likewise

Readers trust only records. A record holds a digest of the shards it was made from, and so does its name: a writer is
first, or late, among those with the same inputs alone. If one of the inputs has changed since, the record is stale and
the shard is built again beside it. The roll-ups are a log that the loose records continue: of two records of a shard
with the same inputs the first counts.

What is rolled up is joined: the parts of a table without audio, and quarantined rows. First the joined files are
written, then the roll-up, which names them; the parts and quarantine files of their own are deleted last, when no
running task can read them any more (`execution/joining.py`), or by a sweep.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from ieat_data.data.schema import OK, REJECTED
from ieat_data.errors import Damaged
from ieat_data.storage import orphans
from ieat_data.storage.joined import batches, join
from ieat_data.storage.local import LocalStore
from ieat_data.storage.open import at
from ieat_data.storage.orphans import ORPHAN_AGE_S
from ieat_data.storage.parts import DamagedPart, Part, footer_crc, sha256_file, write_parquet
from ieat_data.storage.records import (
    CommitRecord,
    encoded,
    files_of,
    key_of,
    keys_of,
    log_name,
    loose_name,
    number_of,
    parsed,
)
from ieat_data.storage.sealed import seal, unseal
from ieat_data.storage.store import Store

__all__ = ["ROLLUP_AT", "CommitRecord", "Table"]

T = TypeVar("T")

ROLLUP_AT = 64  # number of loose records that justifies a file of their own


def _count(table: pa.Table) -> tuple[int, dict[str, int]]:
    """Count the accepted rows, and the rejected ones by reason. A table without `status` holds accepted rows only."""
    if "status" not in table.schema.names:
        return len(table), {}
    status, reason = table.column("status").to_pylist(), table.column("reason").to_pylist()
    rejected = Counter(r for s, r in zip(status, reason, strict=True) if s == REJECTED)
    return status.count(OK), dict(sorted(rejected.items()))


class Table:
    """One stage's table in the work folder. Stage and fingerprint name its folder."""

    def __init__(self, place: Store | Path) -> None:
        self.store = at(place)
        self._records = self.store / "records"
        self.damaged: set[str] = set()  # records (their files) that were found damaged, and count as not there
        self._logged: set[int] | None = None  # keys of the records in the roll-ups; None: to be read again

    @property
    def name(self) -> str:
        """Return the name of its folder: the stage, and the hash of all that its rows depend on."""
        return self.store.name

    @property
    def folder(self) -> Path:
        """Return the folder of a table on a file system."""
        assert isinstance(self.store, LocalStore), self.store
        return self.store.folder

    @property
    def records_dir(self) -> Path:
        """Return the folder of its records on a file system."""
        return self.folder / "records"

    def create(self) -> None:
        self._records.make()

    # -- reading -------------------------------------------------------------------------------------------------

    def records(self) -> dict[str, CommitRecord]:
        """Return the newest commit record of each shard: for readers that do not know what it should be made from."""
        return {shard: records[-1] for shard, records in self.found().items()}

    def found(self) -> dict[str, list[CommitRecord]]:
        """Return all commit records by shard, oldest first; those of one shard are made from different inputs."""
        while True:
            try:
                return self._read(*self._listed())
            except FileNotFoundError:  # rolled up since the listing
                continue

    def _read(self, rolled: Sequence[str], loose: Sequence[str]) -> dict[str, list[CommitRecord]]:
        found: dict[str, dict[str, CommitRecord]] = {}
        last = sorted(self._records_of(loose), key=lambda r: r.finished)
        logged = list(self._records_of(rolled))
        self._logged = set(map(key_of, logged))
        for record in (*logged, *last):
            found.setdefault(record.shard, {}).setdefault(record.inputs, record)  # of equal ones the first won
        return {shard: list(records.values()) for shard, records in found.items()}

    def _records_of(self, names: Sequence[str]) -> Iterator[CommitRecord]:
        """Yield the sound records of these files, in order."""
        for found in self._records.at_once(lambda name: [record for _, record in self._sound(name)], names):
            yield from found

    def _sound(self, name: str) -> Iterator[tuple[bytes, CommitRecord]]:
        """Yield the lines and records of a file that are as they were written; note the file if one is not."""
        lines = self._records.read(name).splitlines()
        if not lines:
            self.damaged.add(name)
        for line in lines:
            try:
                yield line, parsed(line)
            except Damaged:
                self.damaged.add(name)

    def _listed(self) -> tuple[list[str], list[str]]:
        """Return the names of the roll-ups, in reading order, and of the loose records."""
        names = [n for n in self._records.names() if n[0] != "."]
        return [n for n in names if n.endswith(".jsonl")], [n for n in names if n.endswith(".json")]

    def record(self, shard: str, inputs: str = "") -> CommitRecord | None:
        """Return the record of a shard that was made from `inputs`."""
        return next((r for r in self.found().get(shard, ()) if r.inputs == inputs), None)

    def part(self, record: CommitRecord) -> Part:
        return Part(self.store, record.file, record.footer, record.part_span)

    def read(self, record: CommitRecord, columns: Sequence[str] | None = None) -> pa.Table:
        return self._of_part(record, lambda part: part.read(columns))

    def columns(self, record: CommitRecord) -> list[str]:
        """Return the names of a shard's columns."""
        return self._of_part(record, Part.columns)

    def _of_part(self, record: CommitRecord, read: Callable[[Part], T]) -> T:
        try:
            return read(self.part(record))
        except DamagedPart:
            if (now := self.joined_since(record)) is None:
                raise
            return read(self.part(now))

    def joined_since(self, record: CommitRecord) -> CommitRecord | None:
        """Return the record as it is now if its files were joined to others since it was read; theirs are deleted."""
        now = self.record(record.shard, record.inputs)
        return now if now is not None and now.file == record.file and now.left != record.left else None

    def quarantined(self, record: CommitRecord) -> list[dict[str, Any]]:
        """Return the rows that were rejected, without those whose line is damaged (then fewer than `record.noted`)."""
        if record.quarantine is None:
            return []
        try:
            span = record.quarantine_span
            lines = (self.store.read(record.quarantine) if span is None else span.read(self.store)).split(b"\n")
        except FileNotFoundError:
            now = self.joined_since(record)
            return [] if now is None else self.quarantined(now)
        found: list[dict[str, Any]] = []
        for line in lines:
            with contextlib.suppress(Damaged):
                found.append(unseal(line, record.quarantine))
        return found

    # -- writing -------------------------------------------------------------------------------------------------

    def commit(
        self,
        shard: str,
        table: pa.Table,
        *,
        quarantine: Sequence[Mapping[str, Any]] = (),
        removed: Sequence[Mapping[str, Any]] = (),
        inputs: str = "",
        summary: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
        engines: Mapping[str, Mapping[str, float]] | None = None,
        scattered: bool = False,
    ) -> CommitRecord:
        """Write one shard and its record. If another writer was first, with the same inputs, return its record.

        Args:
            shard: the shard's name.
            table: its rows.
            quarantine: entries for the rows that `table` marks as rejected.
            removed: entries for the rows that `table` no longer holds.
            inputs: digest of the shards that it was made from.
            summary: the stage's summary of the shard.
            seconds: time the shard took.
            engines: role → usage.
            scattered: readers take a few rows of it (`parts.write_parquet`).
        """
        attempt = uuid.uuid4().hex[:12]
        part, beside = f"part-{shard}.{attempt}.parquet", None
        with self.store.writing(part) as path:
            write_parquet(path, table, scattered)
            size, sha256 = path.stat().st_size, sha256_file(path)
            with path.open("rb") as file:
                footer = footer_crc(file)
        if noted := [*quarantine, *removed]:
            beside = f"quarantine-{shard}.{attempt}.jsonl"
            with self.store.writing(beside) as path:
                path.write_bytes(b"".join(seal(q) + b"\n" for q in noted))
        ok, rejects = _count(table)
        rejects.update(Counter(q["reason"] for q in removed))
        record = CommitRecord(
            shard=shard,
            file=part,
            rows=len(table),
            ok=ok,
            bytes=size,
            sha256=sha256,
            rejects=rejects,
            inputs=inputs,
            summary=dict(summary or {}),
            quarantine=beside,
            seconds=round(seconds, 3),
            finished=round(time.time(), 6),
            engines=dict(engines or {}),
            footer=footer,
            noted=len(noted),
        )
        if self._publish(record):
            return record
        winner = self.record(shard, inputs)
        assert winner is not None
        if winner.file != part:  # it may be this one after all: its response was lost, and it is rolled up already
            self.store.delete(part)
            if beside:
                self.store.delete(beside)
        return winner

    def _publish(self, record: CommitRecord) -> bool:
        """Create a commit record. Return False if a record of the same shard, from the same inputs, was there first."""
        name = loose_name(record)
        while not self._records.create(name, encoded(record)):
            if self.record(record.shard, record.inputs) is not None:
                return False
            self._records.delete(name)  # what is there is damaged
        # after a roll-up the name is free again; but the log was written first, so a late writer finds the winner there
        if not self._rolled_up(record):
            return True
        winner = self.record(record.shard, record.inputs)
        if winner is None or winner.file == record.file:
            return True
        self._records.delete(name)
        return False

    def _rolled_up(self, record: CommitRecord) -> bool:
        while True:
            try:
                logs = self._records.names("rollup-")
                key = key_of(record) if logs else 0
                return any(key in keys_of(self._records, name) for name in logs)
            except FileNotFoundError:  # merged since the listing
                continue

    def forget(self, records: Iterable[CommitRecord]) -> None:
        """Remove these records, and the damaged ones; their parts become orphans. For the holder of the lease alone."""
        gone = {r.file: r for r in records}
        if not gone and not self.damaged:
            return
        loose = {n for n in self.damaged if n.endswith(".json")}
        for name in {loose_name(r) for r in gone.values()} | loose:
            with contextlib.suppress(FileNotFoundError):
                if all(record.file in gone for _, record in self._sound(name)):
                    self._records.delete(name)
        self._logged = None
        for name in self._listed()[0]:
            lines = self._records.read(name).splitlines()
            kept = [line for line, record in self._sound(name) if record.file not in gone]
            if len(kept) < len(lines):
                if kept:
                    self._records.create(log_name(number_of(name)), b"".join(line + b"\n" for line in kept))
                self._records.delete(name)

    def roll_up(
        self, at_least: int = ROLLUP_AT, parts: bool = False, check: Callable[[], None] = lambda: None
    ) -> list[CommitRecord]:
        """Merge loose records into one file, and join their small files; return the records that were joined.

        The new file absorbs earlier ones that are not larger: n records are in about log2(n / ROLLUP_AT) files, and
        each record is rewritten at most as often. Each has a name of its own, and what it absorbs is deleted after it
        is there. So two drivers that roll up at once, which the lease forbids, would write some records twice, but
        lose none. A loose record that a roll-up holds already, because its driver was killed, only goes.

        Args:
            at_least: with fewer loose records nothing is done.
            parts: join the parts, too: for a table whose parts are small, and that does not go out.
            check: raises if another driver has taken over; called right before the new file is created.
        """
        rolled, loose = self._listed()
        if len(loose) < at_least:
            return []
        found: list[CommitRecord] = []
        for name in loose:
            with contextlib.suppress(FileNotFoundError):  # taken by another roll-up
                found += [record for _, record in self._sound(name)]
        if self._logged is None:
            self._logged = set().union(*(keys_of(self._records, name) for name in rolled))
        found = [record for record in found if key_of(record) not in self._logged]
        found = [r for some in batches(sorted(found, key=lambda r: r.finished)) for r in self._join(some, parts)]
        absorbed = self._log(rolled, found, check) if found else []
        for old in (*absorbed, *loose):
            self._records.delete(old)
        return [record for record in found if record.left]

    def _log(self, rolled: list[str], records: Sequence[CommitRecord], check: Callable[[], None]) -> list[str]:
        """Write records into a roll-up, which absorbs the last of `rolled`; return the names of those."""
        data = b"".join(encoded(record) + b"\n" for record in records)
        number, absorbed = number_of(rolled[-1]) + 1 if rolled else 0, list[str]()
        while rolled and (last := self._records.find(rolled[-1])) and last.size <= len(data):
            name = rolled.pop()
            try:
                data = self._records.read(name) + data
            except FileNotFoundError:
                break
            absorbed.append(name)
            number = number_of(name)  # the place of the oldest in the order
        check()
        self._records.create(log_name(number), data)
        if self._logged is not None:
            self._logged.update(map(key_of, records))
        return absorbed

    def _join(self, records: Sequence[CommitRecord], parts: bool) -> list[CommitRecord]:
        """Join the files of records; return the records as they are then. A file of another size stays as it is."""
        pack = uuid.uuid4().hex[:12]
        wanted = list(records) if parts else []
        noted = [r for r in records if r.quarantine]
        own, sizes = [(self.store, r.file) for r in wanted], [r.bytes for r in wanted]
        of_part = join(self.store, f"pack-{pack}.parquets", own, sizes)
        of_noted = join(self.store, f"quarantine-{pack}.jsonl", [(self.store, r.quarantine or "") for r in noted])
        spans = {r.file: s for r, s in zip(wanted, of_part, strict=True) if s and s.size == r.bytes}
        lines = {r.file: s for r, s in zip(noted, of_noted, strict=True) if s}
        return [
            replace(
                r,
                pack=pack,
                part_at=spans[r.file].at if r.file in spans else None,
                quarantine_at=(lines[r.file].at, lines[r.file].size) if r.file in lines else None,
            )
            if r.file in spans or r.file in lines
            else r
            for r in records
        ]

    def sweep(self, known: Iterable[CommitRecord] | None = None, older_than_s: float = ORPHAN_AGE_S) -> int:
        """Delete parts, quarantine files and temporary files that no record names. Return how many.

        Args:
            known: the table's records, if the caller has just read them.
            older_than_s: what is younger may belong to a running writer.
        """
        names = files_of(self.all_records() if known is None else known)
        return orphans.sweep(self.store, self._records, names, lambda: files_of(self._written()), older_than_s)

    def all_records(self) -> list[CommitRecord]:
        """Return all commit records."""
        return [r for records in self.found().values() for r in records]

    def _written(self) -> list[CommitRecord]:
        """Return what all files of records say, also where one says again what another does."""
        while True:
            try:
                return [record for names in self._listed() for name in names for _, record in self._sound(name)]
            except FileNotFoundError:  # rolled up since the listing
                continue
