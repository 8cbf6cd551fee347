"""What the rows of a corpus depend on: its files. Small ones by content, large ones by size and time of change, remote
ones by size and the store's own tag."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ieat_data.sources.base import SourceError
from ieat_data.sources.roots import Entry, Root, root_at

# above these, hashing at every start would cost more than it saves
_HASHED_BYTES = 64 << 20  # of one file
_HASHED_TOTAL = 1 << 30  # of all files below that size: the recordings of a corpus are many
_LISTED_FILES = 10_000  # of one folder; more of them are one entry, by their sizes and versions


def files_identity(place: Root | Path | str, parts: Sequence[str] = ("",)) -> list[list[object]]:
    """For each file its path below the root, its size in bytes, and its sha256 or its version (`roots.Entry`).

    `parts`: files and folders below the root that count; as it stands, everything. A folder of very many files is one
    entry: their number, and a hash over their names, sizes and versions. Of a remote corpus nothing is read.
    """
    root = root_at(place)
    folders: dict[str, _Folder] = defaultdict(_Folder)
    for part in parts:
        for entry in root.walk(part):
            folders[entry.path.rpartition("/")[0]].add(entry)
    if not folders and not root.exists():
        raise SourceError(f"{root}: no such folder; set `root` in the source manifest to the folder of the corpus")
    files = [entry for folder in folders.values() for entry in folder.files]
    small = sum(e.size for e in files if e.size <= _HASHED_BYTES)
    hashed = _HASHED_BYTES if small <= _HASHED_TOTAL else -1
    found: list[list[object]] = [
        [e.path, e.size, (root.sha256(e.path) if e.size <= hashed else None) or e.version] for e in files
    ]
    found += [[f"{name or '.'}/", f.count, f.digest.hexdigest()] for name, f in folders.items() if not f.files]
    return sorted(found, key=lambda entry: str(entry[0]).split("/"))


class _Folder:
    """The files of one folder, or of very many a digest."""

    def __init__(self) -> None:
        self.count, self.digest, self.files = 0, hashlib.sha256(), list[Entry]()

    def add(self, entry: Entry) -> None:
        self.count += 1
        name = entry.path.rpartition("/")[2]
        self.digest.update(os.fsencode(f"{name}\0{entry.size}\0{entry.version}\0"))
        if self.count <= _LISTED_FILES:
            self.files.append(entry)
        else:
            self.files.clear()
