"""Small files of many shards, joined: a new file holds them byte for byte, one after the other.

So what was said of a file (its sha256, the CRCs inside it) holds for its bytes there, and joined lines of JSON are a
file of such lines. A joined file never changes. Something else says where each one lies, and is written after it; only
then may the files of their own go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from ieat_data.storage.store import Store

LARGEST = 16 << 20  # bytes of a file that is joined: what is larger is written once
AT_MOST = 256  # files in a joined one: those that one damaged byte can cost where it is deleted as a whole
_AT_ONCE = 8  # files that are read or deleted at a time: a bucket takes tens of milliseconds for each


T = TypeVar("T")
R = TypeVar("R")


class Span(NamedTuple):
    """The bytes of one file in a joined one."""

    file: str
    at: int
    size: int

    def read(self, store: Store) -> bytes:
        """Return the bytes; `store` holds the joined file."""
        return store.range(self.file, self.at, self.at + self.size)


def join(
    store: Store,
    name: str,
    files: Sequence[tuple[Store, str]],
    sizes: Sequence[int] | None = None,
    tail: Callable[[Sequence[Span | None]], bytes] = lambda spans: b"",
) -> list[Span | None]:
    """Write the bytes of some files into a new one, and return where each is; it is durable when this returns.

    Args:
        store: the folder of the new file.
        name: its name, which no other writer uses and no reader knows yet.
        files: what is not there, cannot be read, or is too large is left out (None). If all is, nothing is written.
        sizes: in bytes, where the caller knows them.
        tail: returns what follows them, from where they are.
    """
    if sizes is None:
        sizes = list(_several(lambda of: _size(*of), files))
    sizes = [size if size <= LARGEST else 0 for size in sizes]
    small = [of for of, size in zip(files, sizes, strict=True) if size]
    if not small:
        return [None] * len(files)
    spans: list[Span | None] = []
    with store.writing(name) as path, path.open("wb") as out:
        data = _several(lambda of: _read(*of), small)
        for size in sizes:
            one = next(data) if size else b""
            spans.append(Span(name, out.tell(), len(one)) if one else None)
            out.write(one)
        out.write(tail(spans))
    return spans


def delete(files: Iterable[tuple[Store, str]]) -> None:
    """Delete files that lie in a joined one, too."""
    for _ in _several(lambda of: of[0].delete(of[1]), list(files)):
        pass


def batches(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield what goes into one joined file each."""
    for i in range(0, len(things), AT_MOST):
        yield things[i : i + AT_MOST]


def _several(do: Callable[[T], R], given: Sequence[T]) -> Iterator[R]:
    """Yield what `do` returns for each, in order; some at a time, so that few are in memory."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for i in range(0, len(given), _AT_ONCE):
            yield from pool.map(do, given[i : i + _AT_ONCE])


def _size(store: Store, name: str) -> int:
    """Return the bytes of a file, 0 if that cannot be told."""
    try:
        entry = store.find(name)
    except OSError:
        return 0
    return entry.size if entry is not None else 0


def _read(store: Store, name: str) -> bytes:
    try:
        return store.read(name)
    except OSError:  # not there, or a bad sector, which ends no build if no task needs the file
        return b""
