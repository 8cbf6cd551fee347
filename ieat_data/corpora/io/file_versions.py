"""What the rows of a corpus depend on: its files.

Small files count by content, large ones by size and modification time, remote ones by size and the store's own tag.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ieat_data.corpora.io.names import shown
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.roots import Entry, Root
from ieat_data.corpora.io.units import SourceError

# above these, hashing at every start costs more than it saves
_HASHED_BYTES = 64 << 20  # of one file
_HASHED_TOTAL = 1 << 30  # of all files below that size: a corpus has many recordings
_LISTED_FILES = 10_000  # per folder of the root; a larger folder is one entry, by its files' sizes and versions


def file_versions(place: Root | Path | str, parts: Sequence[str] = ("",)) -> list[list[object]]:
    """Return for each file its path below the root, its size in bytes, and its sha256 or its version (`roots.Entry`).

    Args:
        place: the root.
        parts: files and folders below the root that count; the default is everything. A folder directly in one of them
            that holds very many files, at any depth, is one entry: their number, and a hash over their names, sizes
            and versions.

    Files of a remote corpus are not read.
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
    found += [[shown(e.path), e.size, (root.sha256(e.path) if e.size <= hashed else None) or e.version] for e in files]
    return sorted(found, key=lambda entry: str(entry[0]).split("/"))


def _folders(root: Root, part: str) -> Iterator[tuple[str, Iterator[Entry]]]:
    """Yield `part` with the files in it, then each folder in it with all files below. Follow links in `part`."""
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
    return [f"{shown(folder) or '.'}/", n, digest.hexdigest()]
