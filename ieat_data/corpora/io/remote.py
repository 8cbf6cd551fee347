"""Files that are read over a network: in blocks, ahead of a reader that goes on, and again where a connection is lost.

How much is fetched: a read somewhere new fetches a little (FIRST); one that follows a block that is kept goes on where
that ends, with twice as much, up to MOST. Up to GAP bytes in between are fetched with it: a request takes about as long
as they do. So a tar of clips is read through in large blocks, and of one whose members are larger than
GAP the headers alone are fetched. A file holds no more than KEPT blocks in memory.
"""

from __future__ import annotations

import posixpath
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

from ieat_data.corpora.io.names import is_unsafe, printable
from ieat_data.corpora.io.roots import Entry, File, Root
from ieat_data.corpora.io.units import SourceError

T = TypeVar("T")

FIRST = 256 << 10  # bytes
MOST = 8 << 20  # bytes
GAP = 1 << 20  # bytes
KEPT = 4  # blocks; the readers go back a little, and Parquet's columns are read side by side
WAITS_S = (1.0, 4.0, 15.0, 40.0)  # seconds before each further try; the libraries try a few times by themselves


class RemoteFile(File):
    """A file of which `fetch(start, end)` gives the bytes [start, end)."""

    def __init__(
        self, path: str, size: int, version: str, fetch: Callable[[int, int], bytes], until: int | None = None
    ) -> None:
        self.path, self.size, self.version = path, size, version
        self._fetch, self._until = fetch, until or size
        self._blocks: deque[tuple[int, bytes]] = deque(maxlen=KEPT)  # (offset, bytes), the last fetched at the end

    def read(self, offset: int, n: int) -> bytes:
        end, parts = min(offset + n, self.size), []
        while offset < end:
            start, data = self._block(offset, end)
            parts.append(data[offset - start : end - start])
            offset += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _block(self, offset: int, wanted: int) -> tuple[int, bytes]:
        """The block that holds the byte at `offset`; where it is fetched, up to `wanted` at least, or MOST bytes."""
        for start, data in self._blocks:
            if start <= offset < start + len(data):
                return start, data
        before = [(start + len(data), 2 * len(data)) for start, data in self._blocks]
        begin, n = max((b for b in before if b[0] <= offset <= b[0] + GAP), default=(offset, FIRST))
        ahead = min(max(begin + n, offset + FIRST), self._until if offset < self._until else self.size)
        end = min(max(ahead, wanted), begin + MOST, self.size)
        self._blocks.append((begin, self._fetch(begin, end)))
        return self._blocks[-1]


class RemoteRoot(Root):
    """A corpus on a server: what lies below `prefix`, or the one file of that name.

    Subclasses say how the server is asked, and what its answers mean.
    """

    at_once = 8

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    @cached_property
    def only(self) -> str | None:
        return self._prefix.rpartition("/")[2] if self._prefix and self._found(self._prefix) else None

    def entry(self, path: str) -> Entry | None:
        key = self._key(path)
        found = self._found(key) if key else None
        return Entry(path, *found) if found else None

    def beside(self, place: str) -> Root:
        key = posixpath.normpath(posixpath.join(self._folder, place)) if self._folder or place else "."
        if key.split("/")[0] == "..":
            raise SourceError(f"{self}: {place} leads out of it; name the other place by its URL")
        return self._sibling("" if key == "." else key)

    def _key(self, path: str) -> str:
        """A path of this root as the server names it."""
        return "/".join(part for part in (self._folder, path) if part)

    @property
    def _folder(self) -> str:
        return self._prefix.rpartition("/")[0] if self.only else self._prefix

    def _named(self, path: str) -> str:
        return f"{self}: {printable(path)}" if path else str(self)

    def _path(self, key: str) -> str:
        """What the server calls `key` as a path of this root. Raises SourceError for what no path can be."""
        path = key[len(self._folder) + 1 :] if self._folder else key
        if is_unsafe(path) or posixpath.normpath(path) != path:
            raise SourceError(f"{self}: holds {path!r}, which is no path of a file: rename it, or set another root")
        return path

    @abstractmethod
    def _found(self, key: str) -> tuple[int, str] | None:
        """Size and version of the file `key`; None where there is none."""

    @abstractmethod
    def _sibling(self, prefix: str) -> Root:
        """The same server's `prefix`."""

    @abstractmethod
    def _fault(self, error: Exception, path: str) -> SourceError | None:
        """What an error of the library means; None for one that may pass when it is tried again."""

    @property
    @abstractmethod
    def _server(self) -> str:
        """Who is asked, without anything secret."""

    def _asked(self, ask: Callable[[], T], path: str = "") -> T:
        """What `ask` gives; tried again where it fails for a reason that may pass. Raises SourceError.

        The library's own error is not chained: it may hold a signed URL.
        """
        for wait in (*WAITS_S, None):
            try:
                return ask()
            except (SourceError, TypeError, AttributeError, LookupError):
                raise
            except Exception as e:
                fault = self._fault(e, path)
                name = type(e).__name__
            if fault is not None:
                raise fault from None
            if wait is None:
                break
            time.sleep(wait)
        raise SourceError(
            f"{self._named(path)}: the connection to {self._server} fails again and again ({name}); start the same "
            "command again when it is back"
        )

    @contextmanager
    def _reading(self, path: str, opened: Callable[[], tuple[Any, str]], until: int | None) -> Iterator[File]:
        """The file that `opened` opens, as fsspec has it, and its version."""
        handle, version = self._asked(opened, path)

        def fetch(start: int, end: int) -> bytes:
            handle.seek(start)
            data: bytes = handle.read(end - start)
            if len(data) != end - start:
                raise ConnectionError(f"{len(data)} bytes for {end - start}")
            return data

        try:
            yield RemoteFile(
                path, int(handle.size), version, lambda *part: self._asked(lambda: fetch(*part), path), until
            )
        finally:
            handle.close()
