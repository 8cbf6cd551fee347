"""What the rows of a corpus depend on: its files. Small ones by content, large ones by size and time of change."""

from __future__ import annotations

from pathlib import Path

from ieat_data.identity import fingerprint
from ieat_data.shards import sha256_file
from ieat_data.sources.base import SourceError

# above these, hashing at every start would cost more than it saves
_HASHED_BYTES = 64 << 20  # of one file
_HASHED_TOTAL = 1 << 30  # of all files below that size: the recordings of a corpus are many
_LISTED = 4096  # files; of more, one digest is kept


def files_identity(root: Path) -> list[list[object]]:
    """For each file its path under `root`, its size in bytes, and its sha256 or its time of change."""
    if not root.exists():
        raise SourceError(f"{root}: no such folder; set `root` in the source manifest to the folder of the corpus")
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    stats = [path.stat() for path in files]
    hashed = sum(s.st_size for s in stats if s.st_size <= _HASHED_BYTES) <= _HASHED_TOTAL
    found: list[list[object]] = []
    for path, stat in zip(files, stats, strict=True):
        mark = sha256_file(path) if hashed and stat.st_size <= _HASHED_BYTES else stat.st_mtime_ns
        found.append([path.name if path == root else path.relative_to(root).as_posix(), stat.st_size, mark])
    if len(found) <= _LISTED:
        return found
    return [[f"{len(found)} files", sum(s.st_size for s in stats), fingerprint(found)]]
