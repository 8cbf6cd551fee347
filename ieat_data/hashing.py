"""Identity is content: ids, seeds, draws and fingerprints are hashes, the same on any machine, in any order of work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
_SPAN = float(1 << 64)


def canonical(value: Any) -> bytes:
    """One byte string per value: JSON with sorted keys, `bytes` as their sha256."""

    def plain(v: Any) -> Any:
        if isinstance(v, (bytes, bytearray, memoryview)):
            return {"sha256": hashlib.sha256(v).hexdigest()}
        raise TypeError(f"a {type(v).__name__} has no canonical form")

    return json.dumps(
        value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=plain, allow_nan=False
    ).encode()


def fingerprint(value: Any) -> str:
    """sha256 (hex) of a value's canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()


def row_id(source: str, key: str) -> str:
    """Id of a corpus record: 32 hex digits."""
    return fingerprint(["row", source, key])[:32]


def child_id(parent: str, stage: str, ordinal: str | int) -> str:
    """Id of what a stage makes out of a row (a task, a segment): 32 hex digits."""
    return fingerprint(["child", parent, stage, ordinal])[:32]


def seed(row: str, stage: str, attempt: int, salt: int = 0) -> int:
    """Seed of a row's n-th try at a stage: 0 <= seed < 2**31."""
    return int(fingerprint(["seed", row, stage, attempt, salt])[:16], 16) % (1 << 31)


def number(*parts: Any) -> int:
    """A 64-bit number drawn by hash."""
    return int(fingerprint(["draw", *parts])[:16], 16)


def share(*parts: Any) -> float:
    """A number in [0, 1) drawn by hash: `share(...) < 0.4` takes 40 %."""
    return number(*parts) / _SPAN


def pick(options: Sequence[T], *parts: Any) -> T:
    """One of `options`, drawn by hash."""
    return options[number(*parts) % len(options)]


def top_k(names: Iterable[str], k: int, *parts: Any) -> list[str]:
    """The k names with the smallest hash, in that order: the same k whatever the order of `names`."""
    return sorted(names, key=lambda n: rank(n, *parts))[:k]


def rank(name: str, *parts: Any) -> tuple[str, str]:
    """Where `top_k` puts a name: the smaller the earlier."""
    return fingerprint(["top", name, *parts]), name


def content_digest(row_digests: Iterable[bytes], start: int = 0) -> int:
    """Digest of a set of rows: the sum of their sha256 mod 2**256, so that shards may be cut and ordered in any way."""
    total = start
    for d in row_digests:
        total = (total + int.from_bytes(d, "big")) % (1 << 256)
    return total


def row_digest(row: Mapping[str, Any]) -> bytes:
    """sha256 of a row's canonical form (audio bytes: `export.summary.logical` takes them out first)."""
    return hashlib.sha256(canonical(row)).digest()
