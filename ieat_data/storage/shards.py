"""Tables of shards, with one commit protocol that holds for any number of writers, killed at any time.

    TABLE/part-K.ATTEMPT.parquet          the rows; a part that no record names is an orphan
    TABLE/quarantine-K.ATTEMPT.jsonl      payload, reason and traceback of the rows rejected here
    TABLE/records/K.json                  the commit record; created only if absent: the first writer wins
    TABLE/records/rollup-N.jsonl          many commit records in one file: a dozen files hold fifty thousand

Readers trust only records. A record holds a digest of the shards it was made from; if one of them has changed since,
the record is stale and the shard is built again. The roll-ups are a log that the loose records continue: of two records
of a shard the first counts, unless the later one has other inputs. So no stale record ever has to be cut out.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.data.schema import OK, REJECTED
from ieat_data.storage.local import LocalStore
from ieat_data.storage.open import at
from ieat_data.storage.store import Store

ROLLUP_AT = 64  # number of loose records that justifies a file of their own
ORPHAN_AGE_S = 3600.0  # a younger part without a record may belong to a running writer
_AUDIO_ROWS, _TEXT_ROWS = 32, 1024  # rows per row group: `binary` columns have 32-bit offsets


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """The committed state of one shard."""

    shard: str
    file: str
    rows: int
    ok: int
    bytes: int
    sha256: str
    rejects: Mapping[str, int] = field(default_factory=dict)
    inputs: str = ""  # digest of the shards that it was made from
    summary: Mapping[str, Any] = field(default_factory=dict)  # the stage's summary of the shard, e.g. counts
    quarantine: str | None = None
    seconds: float = 0.0
    finished: float = 0.0  # Unix time
    engines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # role → usage (engines/usage.py)


def sha256_file(path: Path) -> str:
    """Return the hex sha256 of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write one Parquet file. Columns of encoded audio get neither compression nor dictionaries."""
    with_audio = any("binary" in str(f.type) for f in table.schema)
    plain = [c for c in table.schema.names if not _holds_binary(table.schema.field(c).type)]
    codec = {p: "none" if "bytes" in p or p == "audio" else "zstd" for p in _leaves(table.schema)}
    pq.write_table(
        table,
        path,
        row_group_size=_AUDIO_ROWS if with_audio else _TEXT_ROWS,
        compression=codec,
        use_dictionary=plain or False,
    )


@dataclass(frozen=True)
class Part:
    """The rows of one shard, wherever they are."""

    store: Store
    file: str

    @property
    def path(self) -> Path:
        """Return a local file with the rows: the part itself, or a copy that is kept for a while."""
        return self.store.path(self.file)

    def open(self) -> pq.ParquetFile:
        """Open it for reading some of its columns or row groups; the rest is not fetched."""
        return pq.ParquetFile(self.store.open(self.file))

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows, only `columns` if given."""
        if columns is None:
            return pq.read_table(self.path)
        return pq.read_table(self.store.open(self.file), columns=list(columns))


def _count(table: pa.Table) -> tuple[int, dict[str, int]]:
    """Count the accepted rows, and the rejected ones by reason. A table without `status` holds accepted rows only."""
    if "status" not in table.schema.names:
        return len(table), {}
    status, reason = table.column("status").to_pylist(), table.column("reason").to_pylist()
    rejected = Counter(r for s, r in zip(status, reason, strict=True) if s == REJECTED)
    return status.count(OK), dict(sorted(rejected.items()))


def _holds_binary(kind: pa.DataType) -> bool:
    return "binary" in str(kind)


def _leaves(schema: pa.Schema) -> list[str]:
    def walk(prefix: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for f in kind:
                yield from walk(f"{prefix}.{f.name}", f.type)
        elif pa.types.is_list(kind):
            yield from walk(f"{prefix}.list.{kind.value_field.name}", kind.value_type)
        else:
            yield prefix

    return [leaf for f in schema for leaf in walk(f.name, f.type)]


class Table:
    """One stage's table in the work folder. Stage and fingerprint name its folder."""

    def __init__(self, place: Store | Path) -> None:
        self.store = at(place)
        self._records = self.store / "records"

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
        """Return all commit records by shard."""
        while True:
            try:
                return self._read(*self._listed())
            except FileNotFoundError:  # rolled up since the listing
                continue

    def _read(self, rolled: Sequence[str], loose: Sequence[str]) -> dict[str, CommitRecord]:
        found: dict[str, CommitRecord] = {}
        for name in (*rolled, *loose):
            for line in self._records.read(name).splitlines():
                record = CommitRecord(**json.loads(line))
                before = found.get(record.shard)
                if before is None or before.inputs != record.inputs:
                    found[record.shard] = record
        return found

    def _listed(self) -> tuple[list[str], list[str]]:
        """Return the names of the roll-ups and of the loose records, in reading order."""
        names = [n for n in self._records.names() if n[0] != "."]
        return [n for n in names if n.endswith(".jsonl")], [n for n in names if n.endswith(".json")]

    def record(self, shard: str) -> CommitRecord | None:
        try:
            return CommitRecord(**json.loads(self._records.read(f"{shard}.json")))
        except FileNotFoundError:
            return self.records().get(shard)

    def part(self, record: CommitRecord) -> Part:
        return Part(self.store, record.file)

    def read(self, record: CommitRecord, columns: Sequence[str] | None = None) -> pa.Table:
        return self.part(record).read(columns)

    def quarantined(self, record: CommitRecord) -> list[dict[str, Any]]:
        if record.quarantine is None:
            return []
        try:
            lines = self.store.read(record.quarantine).split(b"\n")
        except FileNotFoundError:
            lines = []
        found = [_unkeyed(unseal(line, f"{self.store}/{record.quarantine}")) for line in lines if line]
        if len(found) != record.noted:
            raise Damaged(f"{self.store}/{record.quarantine}: {len(found)} of {record.noted} rows are there")
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
    ) -> CommitRecord:
        """Write one shard and its record. If another writer was first, keep and return its record.

        Args:
            shard: the shard's name.
            table: its rows.
            quarantine: entries for the rows that `table` marks as rejected.
            removed: entries for the rows that `table` no longer holds.
            inputs: digest of the shards that it was made from.
            summary: the stage's summary of the shard.
            seconds: time the shard took.
            engines: role → usage.
        """
        attempt = uuid.uuid4().hex[:12]
        part, beside = f"part-{shard}.{attempt}.parquet", None
        with self.store.writing(part) as path:
            write_parquet(path, table)
            size, sha256 = path.stat().st_size, sha256_file(path)
        if noted := [*quarantine, *removed]:
            beside = f"quarantine-{shard}.{attempt}.jsonl"
            with self.store.writing(beside) as path:
                path.write_bytes("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in noted).encode())
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
            finished=round(time.time(), 3),
            engines=dict(engines or {}),
        )
        if self._publish(record):
            return record
        self.store.delete(part)
        if beside:
            self.store.delete(beside)
        winner = self.record(shard)
        assert winner is not None
        return winner

    def _publish(self, record: CommitRecord) -> bool:
        return self._records.create(f"{record.shard}.json", json.dumps(asdict(record)).encode())

    def forget(self, shard: str) -> None:
        """Remove a stale record before its successor is written; the old part becomes an orphan."""
        self._records.delete(f"{shard}.json")

    def roll_up(self, at_least: int = ROLLUP_AT) -> None:
        """Merge loose records into one file. Only the build's driver may call this, one call at a time.

        The new file absorbs earlier ones that are not larger: n records are in about log2(n / ROLLUP_AT) files, and
        each record is rewritten at most as often.
        """
        rolled, loose = self._listed()
        if len(loose) < at_least:
            return
        lines = (json.dumps(json.loads(self._records.read(name))) for name in loose)
        data = "".join(f"{line}\n" for line in lines).encode()
        number = int(rolled[-1].split(".")[0].removeprefix("rollup-")) + 1 if rolled else 0
        name, taken = f"rollup-{number:05d}.jsonl", []
        while rolled and (last := self._records.find(rolled[-1])) and last.size <= len(data):
            name = rolled.pop()
            data = self._records.read(name) + data
            taken.append(name)
        self._records.replace(name, data)
        # oldest first: if a kill interrupts this, some records exist twice and the log still ends with the newest
        for old in (*reversed(taken[:-1]), *loose):
            self._records.delete(old)

    def sweep(self, known: Iterable[CommitRecord] | None = None, older_than_s: float = ORPHAN_AGE_S) -> int:
        """Delete parts, quarantine files and temporary files that no record names. Return how many.

        `known`: the table's records, if the caller has just read them.
        """
        records = self.records().values() if known is None else known
        named = {n for r in records for n in (r.file, r.quarantine) if n}
        written = [n for n in self.store.names() if n.startswith(("part-", "quarantine-")) and n not in named]
        swept, now = 0, time.time()
        for store, names in ((self.store, written), (self._records, self._records.names("."))):
            for name in names:
                if (entry := store.find(name)) and now - entry.modified > older_than_s:
                    store.delete(name)
                    swept += 1
        for folder in self.store.here.glob(".scratch-*"):
            # from a killed task: a running one keeps writing into it
            written_s = max((f.stat().st_mtime for f in (folder, *folder.iterdir())), default=now)
            if now - written_s > older_than_s:
                shutil.rmtree(folder, ignore_errors=True)
                swept += 1
        return swept
