"""What the rows of a corpus depend on: its files. Small ones by content, large ones by size and time of change, remote
ones by size and the store's own tag."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.roots import Entry, Root
from ieat_data.corpora.io.units import SourceError

# above these, hashing at every start would cost more than it saves
_HASHED_BYTES = 64 << 20  # of one file
_HASHED_TOTAL = 1 << 30  # of all files below that size: the recordings of a corpus are many
_LISTED_FILES = 10_000  # of one folder of the root; more of them are one entry, by their sizes and versions


def files_identity(place: Root | Path | str, parts: Sequence[str] = ("",)) -> list[list[object]]:
    """For each file its path below the root, its size in bytes, and its sha256 or its version (`roots.Entry`).

    `parts`: files and folders below the root that count; as it stands, everything. A folder right in one of them that
    holds very many files, at whatever depth, is one entry: their number, and a hash over their names, sizes and
    versions. Of a remote corpus nothing is read.
    """
    root = root_at(place)
    if not root.exists():
        raise SourceError(f"{root}: no such folder; set `root` in the source manifest to the folder of the corpus")
    files: list[Entry] = []
    found: list[list[object]] = []
    for part in parts:
        if one := root.entry(part or root.only or ""):
            files.append(one)
            continue
        for folder, inside in _folders(root, part):
            some = list(itertools.islice(inside, _LISTED_FILES + 1))
            if len(some) > _LISTED_FILES:
                found.append(_folder(itertools.chain(some, inside), folder))
            else:
                files += some
    small = sum(e.size for e in files if e.size <= _HASHED_BYTES)
    hashed = _HASHED_BYTES if small <= _HASHED_TOTAL else -1
    found += [[e.path, e.size, (root.sha256(e.path) if e.size <= hashed else None) or e.version] for e in files]
    return sorted(found, key=lambda entry: str(entry[0]).split("/"))


def _folders(root: Root, part: str) -> Iterator[tuple[str, Iterator[Entry]]]:
    """`part` with the files that lie in it, then each folder in it with all files below. Links in it are followed."""
    here = [(f"{part}/{c.name}" if part else c.name, c) for c in root.children(part)]
    listed = (Entry(p, c.size, c.version) if c.kind == "file" else root.entry(p) for p, c in here if c.kind != "folder")
    yield part, (entry for entry in listed if entry)
    for path, child in here:
        if child.kind == "folder" or (child.kind == "other" and root.is_folder(path)):
            yield path, root.walk(path)


def _folder(files: Iterable[Entry], folder: str) -> list[object]:
    digest, n = hashlib.sha256(), 0
    for path, size, version in files:
        name = path[len(folder) + 1 :] if folder else path
        digest.update(os.fsencode(f"{name}\0{size}\0{version}\0"))
        n += 1
    return [f"{folder or '.'}/", n, digest.hexdigest()]
