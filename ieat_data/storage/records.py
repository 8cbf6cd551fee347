"""Commit records: what a table says of a shard, as JSON with a CRC, and the names of the files that hold them."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from ieat_data.errors import Damaged
from ieat_data.storage.joined import Span
from ieat_data.storage.sealed import seal, unseal
from ieat_data.storage.store import Store


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
    footer: str = ""  # CRC-32 of the part's footer (parts.py)
    noted: int = 0  # lines of the quarantine file
    pack: str = ""  # the id of the joined files that hold the part, the quarantined rows, or both
    part_at: int | None = None  # where the part begins there; None: `file` is a file of its own
    quarantine_at: tuple[int, int] | None = None  # where the quarantined rows begin there, and their bytes; or None

    @property
    def part_span(self) -> Span | None:
        """Return where the part lies if it is joined to others."""
        return None if self.part_at is None else Span(f"pack-{self.pack}.parquets", self.part_at, self.bytes)

    @property
    def quarantine_span(self) -> Span | None:
        """Return where the quarantined rows lie if they are joined to others."""
        return None if self.quarantine_at is None else Span(f"quarantine-{self.pack}.jsonl", *self.quarantine_at)

    @property
    def files(self) -> list[str]:
        """Return the files with its rows: first the one that holds the part."""
        part, noted = self.part_span, self.quarantine_span
        names = (part.file if part else self.file, noted.file if noted else self.quarantine)
        return [name for name in names if name]

    @property
    def left(self) -> list[str]:
        """Return the files of its own that it had before they were joined."""
        return [
            name
            for name, span in ((self.file, self.part_span), (self.quarantine, self.quarantine_span))
            if span is not None and name is not None
        ]


def encoded(record: CommitRecord) -> bytes:
    """Return a record as a line of JSON with its CRC."""
    return seal(asdict(record))


def parsed(line: bytes) -> CommitRecord:
    """Return the record of a line.

    Raises:
        Damaged: it is not as it was written, or of a version with other fields.
    """
    try:
        said = unseal(line, "a commit record")
        if quarantine_at := said.get("quarantine_at"):
            said["quarantine_at"] = tuple(quarantine_at)
        return CommitRecord(**said)
    except TypeError:  # of a version with other fields
        raise Damaged("a commit record of another version") from None


def loose_name(record: CommitRecord) -> str:
    """Return a name that writers from other inputs do not share: none of them can win this one's place."""
    made_from = hashlib.sha256(record.inputs.encode()).hexdigest()[:12] if record.inputs else ""
    return f"{record.shard}.{made_from}.json" if made_from else f"{record.shard}.json"


def log_name(number: int) -> str:
    """Return a name for a roll-up that no other has. `number`: its place in the reading order."""
    return f"rollup-{number:05d}-{uuid.uuid4().hex[:8]}.jsonl"


def number_of(log: str) -> int:
    """Return a roll-up's place in the reading order."""
    return int(log.removeprefix("rollup-").split("-")[0].split(".")[0])


def key_of(record: CommitRecord) -> int:
    """Return what two records of a shard from the same inputs have in common, as a number of this process."""
    return hash((record.shard, record.inputs))


@lru_cache(maxsize=64)
def keys_of(records: Store, log: str) -> frozenset[int]:
    """Return the keys of a roll-up, read once: a file of this name never changes."""
    found = set()
    for line in records.read(log).splitlines():
        with contextlib.suppress(Damaged):
            found.add(key_of(parsed(line)))
    return frozenset(found)


def files_of(records: Iterable[CommitRecord]) -> set[str]:
    """Return the names of all files that hold rows of these records."""
    return {name for record in records for name in record.files}
