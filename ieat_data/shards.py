"""Tables of shards on disk: one protocol of commit, whoever writes and whenever they are killed.

    TABLE/part-K.ATTEMPT.parquet          the rows; a part that no record names is an orphan
    TABLE/quarantine-K.ATTEMPT.jsonl      payload, reason and traceback of the rows rejected here
    TABLE/records/K.json                  the commit record; created only if absent: the first writer wins
    TABLE/records/rollup-N.jsonl          many commit records in one file, so that fifty thousand are read at once

Readers trust records alone. A record names the digest of every shard it was made from; when one of them has changed
since, the record is stale and the shard is built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.schema import OK, REJECTED

ROLLUP_AT = 512  # loose records that are worth a file of their own
ORPHAN_AGE_S = 3600.0  # a part without a record may belong to a writer that still runs
_AUDIO_ROWS, _TEXT_ROWS = 32, 1024  # rows in a row group: `binary` columns have 32-bit offsets


@dataclass(frozen=True)
class Record:
    """What was committed for one shard."""

    shard: str
    file: str
    rows: int
    ok: int
    bytes: int
    sha256: str
    rejects: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)  # what it was made from: "table/shard" → sha256
    summary: Mapping[str, Any] = field(default_factory=dict)  # what a stage says of the shard, e.g. counts
    quarantine: str | None = None
    seconds: float = 0.0
    finished: float = 0.0  # Unix time
    engines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # role → what was asked (engines/usage.py)


def sha256_file(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def fsync_dir(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_bytes(path: Path, data: bytes) -> None:
    """Write and fsync `path` (not yet visible to anyone who goes by records)."""
    with path.open("wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader sees the old file or the new one, never a half."""
    tmp = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    write_bytes(tmp, data)
    tmp.replace(path)
    fsync_dir(path.parent)


def create_if_absent(path: Path, data: bytes) -> bool:
    """Create `path` with `data`, whole, unless it exists. Says whether this call created it."""
    tmp = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    write_bytes(tmp, data)
    try:
        os.link(tmp, path)  # atomic, and fails when the name is taken
    except FileExistsError:
        return False
    finally:
        tmp.unlink(missing_ok=True)
    fsync_dir(path.parent)
    return True


def write_parquet(path: Path, table: pa.Table) -> None:
    """One Parquet file, fsynced. Columns of encoded audio are neither compressed again nor put in dictionaries."""
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
    with path.open("rb") as f:
        os.fsync(f.fileno())


def _count(table: pa.Table) -> tuple[int, dict[str, int]]:
    """Rows that are fit, and the rejected ones by reason. A table without `status` holds fit rows only."""
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
    """One stage's table in the work folder. Its folder is named by stage and fingerprint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records_dir = folder / "records"

    def create(self) -> None:
        self.records_dir.mkdir(parents=True, exist_ok=True)

    # -- reading -------------------------------------------------------------------------------------------------

    def records(self) -> dict[str, Record]:
        """All commit records by shard."""
        found: dict[str, Record] = {}
        if not self.records_dir.is_dir():
            return found
        names = sorted(os.listdir(self.records_dir))
        for name in names:
            if name.startswith("rollup-"):
                for line in (self.records_dir / name).read_text().splitlines():
                    record = Record(**json.loads(line))
                    found.setdefault(record.shard, record)
        for name in names:
            if name.endswith(".json") and not name.startswith("."):
                with contextlib.suppress(FileNotFoundError):  # rolled up since it was listed
                    record = Record(**json.loads((self.records_dir / name).read_text()))
                    found.setdefault(record.shard, record)
        return found

    def record(self, shard: str) -> Record | None:
        path = self.records_dir / f"{shard}.json"
        if path.is_file():
            return Record(**json.loads(path.read_text()))
        return self.records().get(shard)

    def read(self, record: Record, columns: Sequence[str] | None = None) -> pa.Table:
        return pq.read_table(self.folder / record.file, columns=list(columns) if columns is not None else None)

    def quarantined(self, record: Record) -> list[dict[str, Any]]:
        if record.quarantine is None:
            return []
        # not splitlines: payloads may hold U+2028 and its like
        return [json.loads(x) for x in (self.folder / record.quarantine).read_text("utf-8").split("\n") if x]

    # -- writing -------------------------------------------------------------------------------------------------

    def commit(
        self,
        shard: str,
        table: pa.Table,
        *,
        quarantine: Sequence[Mapping[str, Any]] = (),
        inputs: Mapping[str, str] | None = None,
        summary: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
        engines: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Record:
        """Write one shard and its record. Where another writer was first, theirs stands and is returned."""
        attempt = uuid.uuid4().hex[:12]
        part = self.folder / f"part-{shard}.{attempt}.parquet"
        write_parquet(part, table)
        beside = None
        if quarantine:
            beside = self.folder / f"quarantine-{shard}.{attempt}.jsonl"
            write_bytes(beside, "".join(json.dumps(q, ensure_ascii=False) + "\n" for q in quarantine).encode())
        fsync_dir(self.folder)
        ok, rejects = _count(table)
        record = Record(
            shard=shard,
            file=part.name,
            rows=len(table),
            ok=ok,
            bytes=part.stat().st_size,
            sha256=sha256_file(part),
            rejects=rejects,
            inputs=dict(inputs or {}),
            summary=dict(summary or {}),
            quarantine=beside.name if beside else None,
            seconds=round(seconds, 3),
            finished=round(time.time(), 3),
            engines=dict(engines or {}),
        )
        if self._publish(record):
            return record
        part.unlink()
        if beside:
            beside.unlink()
        winner = self.record(shard)
        assert winner is not None
        return winner

    def _publish(self, record: Record) -> bool:
        return create_if_absent(self.records_dir / f"{record.shard}.json", json.dumps(asdict(record)).encode())

    def forget(self, shard: str) -> None:
        """Take back a stale record; its part becomes an orphan."""
        (self.records_dir / f"{shard}.json").unlink(missing_ok=True)
        for rollup in self.records_dir.glob("rollup-*.jsonl"):
            lines = rollup.read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["shard"] != shard]
            if len(kept) != len(lines):
                replace_file(rollup, "".join(line + "\n" for line in kept).encode())

    def roll_up(self, at_least: int = ROLLUP_AT) -> None:
        """Gather loose records into one file. Only the build's driver calls this, one at a time."""
        loose = sorted(p for p in self.records_dir.glob("*.json") if not p.name.startswith("."))
        if len(loose) < at_least:
            return
        number = len(list(self.records_dir.glob("rollup-*.jsonl")))
        lines = [json.dumps(json.loads(p.read_text())) for p in loose]
        replace_file(self.records_dir / f"rollup-{number:05d}.jsonl", "".join(f"{x}\n" for x in lines).encode())
        for p in loose:
            p.unlink()

    def sweep(self, older_than_s: float = ORPHAN_AGE_S) -> int:
        """Delete parts, quarantine files and temporary files that no record names. Returns how many."""
        named = {n for r in self.records().values() for n in (r.file, r.quarantine) if n}
        swept, now = 0, time.time()
        for path in [*self.folder.glob("part-*"), *self.folder.glob("quarantine-*"), *self.records_dir.glob(".*")]:
            with contextlib.suppress(FileNotFoundError):
                if path.name not in named and now - path.stat().st_mtime > older_than_s:
                    path.unlink()
                    swept += 1
        return swept
