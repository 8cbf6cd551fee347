"""What the rows of a corpus depend on: its files. Small ones by content, large ones by size and time of change."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ieat_data.shards import sha256_file
from ieat_data.sources.base import SourceError

# above these, hashing at every start would cost more than it saves
_HASHED_BYTES = 64 << 20  # of one file
_HASHED_TOTAL = 1 << 30  # of all files below that size: the recordings of a corpus are many
_LISTED_FILES = 10_000  # of one folder of the root; more of them are one entry, by their sizes and times of change


def files_identity(root: Path, parts: Sequence[str] = ("",)) -> list[list[object]]:
    """For each file its path under `root`, its size in bytes, and its sha256 or its time of change.

    `parts`: files and folders below `root` that count; as it stands, everything. A folder right in one of them that
    holds very many files, at whatever depth, is one entry: their number, and a hash over their names, sizes and times.
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
        for folder, inside in _folders(top):
            some = list(itertools.islice(inside, _LISTED_FILES + 1))
            if len(some) > _LISTED_FILES:
                found.append(_folder(itertools.chain(some, inside), folder, f"{_name(folder, root)}/"))
            else:
                files += [(_name(path, root), path) for path in some]
    sizes = [path.stat().st_size for _, path in files]
    hashed = _HASHED_BYTES if sum(s for s in sizes if s <= _HASHED_BYTES) <= _HASHED_TOTAL else -1
    found += [_file(path, name, hashed) for name, path in files]
    return sorted(found, key=lambda entry: str(entry[0]).split("/"))


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _file(path: Path, name: str, hashed: int) -> list[object]:
    stat = path.stat()
    return [name, stat.st_size, sha256_file(path) if stat.st_size <= hashed else stat.st_mtime_ns]


def _folders(top: Path) -> Iterator[tuple[Path, Iterator[Path]]]:
    """`top` with the files that lie in it, then each folder in it with all files below."""
    try:
        here = sorted(top.iterdir())
    except OSError as e:
        raise SourceError(f"{top}: cannot be listed ({e.strerror})") from None
    yield top, (path for path in here if path.is_file())
    for folder in (path for path in here if path.is_dir()):
        yield folder, _below(folder)


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        yield from (path for name in sorted(names) if (path := Path(here, name)).is_file())


def _folder(files: Iterable[Path], folder: Path, name: str) -> list[object]:
    digest, n = hashlib.sha256(), 0
    for path in files:
        status = path.stat()
        digest.update(os.fsencode(f"{path.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\0"))
        n += 1
    return [name, n, digest.hexdigest()]
