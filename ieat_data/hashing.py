"""Identity is content: ids, seeds, draws and fingerprints are hashes, equal on any machine and in any order of work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
_SPAN = float(1 << 64)


def _plain(v: Any) -> Any:
    if isinstance(v, (bytes, bytearray, memoryview)):
        return {"sha256": hashlib.sha256(v).hexdigest()}
    raise TypeError(f"a {type(v).__name__} has no canonical form")


# one for all calls: to make it costs as much as to encode a short value
_CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=_plain, allow_nan=False
).encode


def canonical(value: Any) -> bytes:
    """Return one byte string per value: JSON with sorted keys, `bytes` as their sha256."""
    return _CANONICAL(value).encode()


def fingerprint(value: Any) -> str:
    """Return the sha256 (hex) of a value's canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()


def row_id(source: str, key: str) -> str:
    """Return the id of a corpus record: 32 hex digits."""
    return fingerprint(["row", source, key])[:32]


def child_id(parent: str, stage: str, ordinal: str | int) -> str:
    """Return the id of what a stage makes from a row (a task, a segment): 32 hex digits."""
    return fingerprint(["child", parent, stage, ordinal])[:32]


def seed(row: str, stage: str, attempt: int, salt: int = 0) -> int:
    """Return the seed of a row's n-th attempt at a stage: 0 <= seed < 2**31."""
    return int(fingerprint(["seed", row, stage, attempt, salt])[:16], 16) % (1 << 31)


def number(*parts: Any) -> int:
    """Draw a 64-bit number by hash."""
    return int(fingerprint(["draw", *parts])[:16], 16)


def share(*parts: Any) -> float:
    """Draw a number in [0, 1) by hash: `share(...) < 0.4` selects 40 %."""
    return number(*parts) / _SPAN


def pick(options: Sequence[T], *parts: Any) -> T:
    """Draw one of `options` by hash."""
    return options[number(*parts) % len(options)]


def top_k(names: Iterable[str], k: int, *parts: Any) -> list[str]:
    """Return the k names with the smallest hash, in that order; the order of `names` does not matter."""
    return sorted(names, key=lambda n: rank(n, *parts))[:k]


def rank(name: str, *parts: Any) -> tuple[str, str]:
    """Return the sort key by which `top_k` orders a name: the smallest come first."""
    return fingerprint(["top", name, *parts]), name


def content_digest(row_digests: Iterable[bytes], start: int = 0) -> int:
    """Return the digest of a set of rows: the sum of their sha256 mod 2**256, whatever their order and shards."""
    total = start
    for d in row_digests:
        total = (total + int.from_bytes(d, "big")) % (1 << 256)
    return total


def row_digest(row: Mapping[str, Any]) -> bytes:
    """Return the sha256 of a row's canonical form (for samples, `data.sample.logical` removes audio bytes first)."""
    return hashlib.sha256(canonical(row)).digest()
