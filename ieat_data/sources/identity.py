"""What the rows of a corpus depend on: its files. Small ones by content, large ones by size and time of change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from ieat_data.shards import sha256_file
from ieat_data.sources.base import SourceError

# above these, hashing at every start would cost more than it saves
_HASHED_BYTES = 64 << 20  # of one file
_HASHED_TOTAL = 1 << 30  # of all files below that size: the recordings of a corpus are many
_LISTED_FILES = 10_000  # of one folder; more of them are one entry, by their sizes and times of change


def files_identity(root: Path, parts: Sequence[str] = ("",)) -> list[list[object]]:
    """For each file its path under `root`, its size in bytes, and its sha256 or its time of change.

    `parts`: files and folders below `root` that count; as it stands, everything. A folder of very many files is one
    entry: their number, and a hash over their names, sizes and times of change.
    """
    if not root.exists():
        raise SourceError(f"{root}: no such folder; set `root` in the source manifest to the folder of the corpus")
    files: list[tuple[str, Path]] = []
    found: list[list[object]] = []
    for part in parts:
        top = root / part
        if top.is_file():
            files.append((part or top.name, top))
            continue
        for folder, _, names in os.walk(top):
            inside = [p for name in sorted(names) if (p := Path(folder, name)).is_file()]
            if len(inside) > _LISTED_FILES:
                found.append(_folder(inside, f"{_name(Path(folder), root)}/"))
            else:
                files += [(_name(path, root), path) for path in inside]
    sizes = [path.stat().st_size for _, path in files]
    hashed = _HASHED_BYTES if sum(s for s in sizes if s <= _HASHED_BYTES) <= _HASHED_TOTAL else -1
    found += [_file(path, name, hashed) for name, path in files]
    return sorted(found, key=lambda entry: str(entry[0]).split("/"))


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _file(path: Path, name: str, hashed: int) -> list[object]:
    stat = path.stat()
    return [name, stat.st_size, sha256_file(path) if stat.st_size <= hashed else stat.st_mtime_ns]


def _folder(files: Sequence[Path], name: str) -> list[object]:
    digest = hashlib.sha256()
    for path in files:
        stat = path.stat()
        digest.update(os.fsencode(f"{path.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0"))
    return [name, len(files), digest.hexdigest()]
