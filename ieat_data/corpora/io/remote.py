"""Files read over a network: in blocks, with read-ahead and with retries after a lost connection.

How much is fetched: a read at a new place fetches FIRST bytes; a read that follows a kept block continues at its end,
with twice as much, up to MOST. A gap of up to GAP bytes is fetched as well: a request takes about as long as the gap.
So a tar of clips is read in large blocks, and of a tar whose members are larger than GAP only the headers are fetched.
A file holds at most KEPT blocks in memory.
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
KEPT = 4  # blocks; readers go back a little, and Parquet's columns are read in parallel
WAITS_S = (1.0, 4.0, 15.0, 40.0)  # seconds before each retry; the libraries also retry a few times by themselves


class RemoteFile(File):
    """A file whose bytes [start, end) come from `fetch(start, end)`."""

    def __init__(
        self, path: str, size: int, version: str, fetch: Callable[[int, int], bytes], until: int | None = None
    ) -> None:
        self.path, self.size, self.version = path, size, version
        self._fetch, self._until = fetch, until or size
        self._blocks: deque[tuple[int, bytes]] = deque(maxlen=KEPT)  # (offset, bytes), the latest last

    def read(self, offset: int, n: int) -> bytes:
        end, parts = min(offset + n, self.size), []
        while offset < end:
            start, data = self._block(offset, end)
            parts.append(data[offset - start : end - start])
            offset += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _block(self, offset: int, wanted: int) -> tuple[int, bytes]:
        """Return the block that holds the byte at `offset`; a new block has at least `wanted` bytes, at most MOST."""
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
    """A corpus on a server: the files below `prefix`, or the single file of that name.

    Subclasses implement how to ask the server and how to interpret its answers.
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
            raise SourceError(f"{self}: {place} leads outside the corpus; name the other place by its URL")
        return self._sibling("" if key == "." else key)

    def _key(self, path: str) -> str:
        """Return the server's name for a path of this root."""
        return "/".join(part for part in (self._folder, path) if part)

    @property
    def _folder(self) -> str:
        return self._prefix.rpartition("/")[0] if self.only else self._prefix

    def _named(self, path: str) -> str:
        return f"{self}: {printable(path)}" if path else str(self)

    def _path(self, key: str) -> str:
        """Return the path in this root of the server's `key`.

        Raises:
            SourceError: no path can have this name.
        """
        path = key[len(self._folder) + 1 :] if self._folder else key
        if is_unsafe(path) or posixpath.normpath(path) != path:
            raise SourceError(f"{self}: holds {path!r}, which is not a valid path: rename it, or set another root")
        return path

    @abstractmethod
    def _found(self, key: str) -> tuple[int, str] | None:
        """Return the size and version of the file `key`, or None if there is none."""

    @abstractmethod
    def _sibling(self, prefix: str) -> Root:
        """Return the root at `prefix` on the same server."""

    @abstractmethod
    def _fault(self, error: Exception, path: str) -> SourceError | None:
        """Translate an error of the library; return None for one that may pass on a retry."""

    @property
    @abstractmethod
    def _server(self) -> str:
        """Name the server, without secrets."""

    def _asked(self, ask: Callable[[], T], path: str = "") -> T:
        """Return what `ask` returns; retry errors that may pass.

        The library's own error is not chained: it may hold a signed URL.

        Raises:
            SourceError: an error that does not pass, or that remains after all retries.
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
            f"{self._named(path)}: the connection to {self._server} keeps failing ({name}); run the same command again "
            "when it is back"
        )

    @contextmanager
    def _reading(self, path: str, opened: Callable[[], tuple[Any, str]], until: int | None) -> Iterator[File]:
        """Open a file with `opened`, which returns fsspec's file and its version."""
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
