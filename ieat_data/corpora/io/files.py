"""What all readers share: finding and cutting a corpus's files, keys, and text that is safe to store."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from ieat_data.corpora.io.base import BadRecord
from ieat_data.corpora.io.names import printable
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import SourceError, Unit

T = TypeVar("T")

CHUNK = 1 << 20  # bytes read at once while scanning
MAX_PAYLOAD = 64 << 10  # bytes of a broken record that go to quarantine
MAX_NAME = 200  # characters of a corpus's own id that go into a key


class Readable(Protocol):
    """Bytes read by position: a file, or the decompressed content of one."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    def read(self, offset: int, n: int) -> bytes: ...


def corpus_files(root: Root, suffixes: tuple[str, ...], keep: Callable[[str], bool] = lambda name: True) -> list[str]:
    """Return the sorted paths below `root` that end in one of `suffixes`, without hidden files.

    `root` may be a single file.

    Raises:
        SourceError: the root is missing or holds no such file.
    """
    if root.only:
        return [root.only]
    found = sorted(
        path
        for path, _, _ in root.walk()
        if path.endswith(suffixes) and not any(p.startswith(".") for p in path.split("/")) and keep(path.split("/")[-1])
    )
    if not found and not root.exists():
        raise SourceError(f"{root}: no such folder; set `root` in the source manifest to the folder of the corpus")
    if not found:
        wanted = " or ".join(f"**/*{suffix}" for suffix in suffixes)
        raise SourceError(f"{root}: holds no file {wanted}; is it this corpus, and is the download complete?")
    return found


def in_order(root: Root, items: Sequence[T], units: Callable[[T], Iterator[Unit]]) -> Iterator[Unit]:
    """Yield `units` of all items, in the items' order. Cut several items of a remote corpus at once."""
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
    """Yield the first `unit.rows` of `records`.

    Raises:
        SourceError: there are fewer, so the file is not the one that was planned.
    """
    missing = unit.rows
    for record in itertools.islice(records, unit.rows):
        missing -= 1
        yield record
    if missing:
        raise SourceError(f"{unit.path}: has fewer records than when it was planned; restore it or plan again")
