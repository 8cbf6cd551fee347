"""Every name below a corpus's root: which are read, and what the others are."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

from ieat_data.corpora.io.account import Account
from ieat_data.corpora.io.names import AUDIO_SUFFIXES
from ieat_data.corpora.io.roots import Root

_UNFINISHED = (".aria2", ".part", ".partial", ".crdownload", ".incomplete", ".download", ".tmp")


def survey(root: Root, read: Collection[str], also: tuple[str, ...] = ()) -> tuple[Account, int]:
    """Return what lies below `root` and is not read, and how many audio files lie beside what is.

    Records name those audio files, so which of them are used is known when all are read.

    Args:
        root: the corpus; its names are listed once.
        read: the paths of its units, files or folders.
        also: suffixes of files that the reader reads as well.
    """
    account, audio = Account(), 0
    if root.only:
        return account, 0
    for path, size, _ in root.walk(odd=account.tell):
        parts = PurePosixPath(path)
        if path in read or path.endswith(also or ("/",)) or any(str(folder) in read for folder in parts.parents):
            continue
        lower = path.lower()
        if any(p.startswith(".") for p in parts.parts):
            account.tell("hidden_file", size=size)
        elif lower.endswith(_UNFINISHED):
            account.tell("unfinished_file", path, size)
        elif lower.endswith(AUDIO_SUFFIXES):
            audio += 1
        else:
            account.tell("no_records" if path in root.account.visited else "other_file", path, size)
    return account, audio
