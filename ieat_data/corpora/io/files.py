"""What all readers share: finding and cutting a corpus's files, keys, and text that is safe to store."""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from ieat_data.corpora.io.account import Account, merged, sentences
from ieat_data.corpora.io.base import BadRecord
from ieat_data.corpora.io.names import printable, shown
from ieat_data.corpora.io.roots import Root, is_url
from ieat_data.corpora.io.units import SourceError, Unit

T = TypeVar("T")

CHUNK = 1 << 20  # bytes read at once while scanning
MAX_PAYLOAD = 64 << 10  # bytes of a broken record that go to quarantine
_LOOKED_AT = 32  # folders in which a file is looked for that is not where it should be
MAX_NAME = 200  # characters of a corpus's own id that go into a key


class Readable(Protocol):
    """Bytes read by position: a file, or the decompressed content of one."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    def read(self, offset: int, n: int) -> bytes: ...


def corpus_files(root: Root, suffixes: tuple[str, ...], keep: Callable[[str], bool] = lambda name: True) -> list[str]:
    """Return the sorted paths below `root` that end in one of `suffixes` (in any case), without hidden files.

    `root` may be a single file.

    Raises:
        SourceError: the root is missing or holds no such file.
    """
    if root.only:
        return [root.only]

    def fits(path: str) -> bool:
        *folders, name = path.split("/")
        hidden = any(p.startswith(".") for p in (*folders, name))
        return path.lower().endswith(suffixes) and not hidden and keep(name)

    odd = Account()
    found = sorted(path for path, _, _ in root.walk(odd=odd.tell) if fits(path))
    if not found and not root.exists():
        raise SourceError(f"{root}: no such folder; set `root` in the source manifest to the folder of the corpus")
    if not found:
        wanted = " or ".join(f"**/*{suffix}" for suffix in suffixes)
        hint = meant(root, lambda r: any(c.name.lower().endswith(suffixes) for c in r.children("")))
        beside = f", but {', '.join(sentences(merged([odd.take()])))}" if odd.told else ""
        what = hint or "; is it this corpus, and is the download complete?"
        raise SourceError(f"{root}: holds no file {wanted}{beside}{what}")
    return found


def meant(root: Root, fits: Callable[[Root], bool]) -> str:
    """Return `; did you mean …?` with the folder above or below `root` that `fits`, or "" if none does."""
    names = [".."]
    try:
        names += [c.name for c in root.children("") if c.kind != "file"][:_LOOKED_AT]
        for name in names:
            if fits(near := root.beside(name)):
                return f"; did you mean its folder {name}/?" if name != ".." else f"; did you mean {_plain(near)}?"
    except SourceError:  # of another folder: it may not be ours to read
        return ""
    return ""


def meant_for(root: Root, path: str) -> str:
    """Return `; did you mean …?` with the root near `root` below which the file `path` does lie, or ""."""
    parts = path.split("/")
    if root.at_once > 1:  # each look at a store costs a request
        return ""
    for n in range(1, min(4, len(parts))):
        if root.entry("/".join(parts[n:])):
            return f"; did you mean {_plain(root.beside('/'.join(['..'] * n)))} as its root?"
    for child in root.children("")[:_LOOKED_AT]:
        if child.kind != "file" and root.entry(f"{child.name}/{path}"):
            return f"; did you mean {_plain(root.beside(child.name))} as its root?"
    return ""


def _plain(root: Root) -> str:
    """Return where `root` is, without `..`."""
    return str(root) if is_url(str(root)) else os.path.normpath(str(root))


def in_order(root: Root, items: Sequence[T], units: Callable[[T], Iterator[Unit]]) -> Iterator[Unit]:
    """Yield `units` of all items, in the items' order. Cut several items of a remote corpus at once.

    Raises:
        SourceError: a name is not UTF-8, so it can stand in no key.
    """
    for item in items:
        if isinstance(item, str) and not is_storable(item):
            raise SourceError(f"{root}: the name of {shown(item)} is not UTF-8; rename it")
    if root.at_once == 1 or len(items) == 1:
        yield from itertools.chain.from_iterable(map(units, items))
        return
    stopped = threading.Event()

    def cut(item: T) -> list[Unit]:
        return list(itertools.takewhile(lambda _: not stopped.is_set(), units(item)))

    with ThreadPoolExecutor(root.at_once) as pool:
        left, ahead = iter(items), 1  # a build with a limit may need only the first file
        begun = deque(pool.submit(cut, item) for item in itertools.islice(left, ahead))
        try:
            while begun:
                yield from begun.popleft().result()
                ahead = min(2 * ahead, root.at_once)
                begun.extend(pool.submit(cut, item) for item in itertools.islice(left, ahead - len(begun)))
        finally:  # the caller may stop early
            stopped.set()
            for future in begun:
                future.cancel()


def record_key(path: str, ordinal: int, name: str) -> str:
    """Return the key of record number `ordinal` of `path`, which the corpus calls `name`.

    A corpus's own ids repeat, across files and within one, and a unit is read without the others, so a reader cannot
    see that an id repeats. File and ordinal make the key unique whatever the ids are.
    """
    return f"{printable(name[:MAX_NAME])}@{path}#{ordinal}"


def bad_record(path: str, ordinal: int, name: str, reason: str, message: str, payload: bytes = b"") -> BadRecord:
    """Build a BadRecord: put the file's name into its message, truncate its payload."""
    return BadRecord(record_key(path, ordinal, name), reason, f"{path}: {printable(message)}", payload[:MAX_PAYLOAD])


def is_storable(text: str) -> bool:
    r"""Tell whether UTF-8 can hold `text`: a lone JSON "\ud83d" is half a character."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def exactly(unit: Unit, records: Iterable[T]) -> Iterator[T]:
    """Yield the first `unit.rows` of `records`, and let their reader come to its end.

    Raises:
        SourceError: there are fewer, so the file is not the one that was planned.
    """
    missing, found = unit.rows, iter(records)
    for record in itertools.islice(found, unit.rows):
        missing -= 1
        yield record
    next(found, None)
    if missing:
        raise SourceError(f"{unit.path}: has fewer records than when it was planned; restore it or plan again")
