"""Where a corpus lies: a local folder, an S3-compatible store, or a dataset on the Hugging Face hub.

A reader sees a `Root`, which lists files and opens them, and a `File`, which is read by position; which of the three
it is makes no difference to it. What is remote needs an extra (`s3`, `hf`), which is imported when it is used.
"""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, NamedTuple

from ieat_data.corpora.io.units import SourceError, Unit

URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_STREAMED = 1 << 20  # bytes that a stream reads at once


class Gone(SourceError):
    """A single file that is not there or cannot be opened."""


class Entry(NamedTuple):
    """A file: its path below the root, its size in bytes, and what changes when its content does.

    `version` is the time of change in ns of a local file, the store's own tag (ETag, blob id) of a remote one.
    """

    path: str
    size: int
    version: int | str


class Child(NamedTuple):
    """What lies in a folder. A link is `other`, whatever it leads to. `size` and `version` are those of an Entry."""

    name: str
    kind: Literal["file", "folder", "other"]
    size: int = 0
    version: int | str = ""


class File(ABC):
    """An open file of a corpus. `version` tells the content of a remote file; of a local one it is empty."""

    path: str
    size: int  # bytes
    version: str = ""

    @abstractmethod
    def read(self, offset: int, n: int) -> bytes:
        """Up to `n` bytes at `offset`; fewer only at the end of the file. Raises SourceError for a connection lost."""

    def stream(self) -> BinaryIO:
        """The file for a library that reads by itself; good while the file is open."""
        return io.BufferedReader(_Stream(self), _STREAMED)

    def unit(self, start: int, end: int, rows: int, index: int, skip: int = 0) -> Unit:
        """A unit of this file, which is read only as long as the file is the one that it is now."""
        return Unit(self.path, start, end, rows, index, skip, self.version)


class Root(ABC):
    """A corpus. All paths are relative to it, in POSIX form; `str(root)` is where it lies, as messages say it."""

    at_once = 1  # files that are worth scanning at the same time while a corpus is planned

    @property
    @abstractmethod
    def only(self) -> str | None:
        """The name of the file where the root is one file and no folder; its folder takes the root's place then."""

    @abstractmethod
    def entry(self, path: str) -> Entry | None:
        """The file `path`; None where there is none."""

    @abstractmethod
    def is_folder(self, path: str = "") -> bool: ...

    @abstractmethod
    def walk(self, path: str = "") -> Iterator[Entry]:
        """All files in and below `path` (or the file `path`), those of one folder in the order of their names."""

    @abstractmethod
    def children(self, path: str) -> list[Child]:
        """What lies in the folder `path` itself, by name; nothing where it is no folder."""

    def sha256(self, path: str) -> str | None:
        """Of the content of a file; None where reading it costs too much to know it by that."""
        return None

    @abstractmethod
    def beside(self, place: str) -> Root:
        """The root at `place`, a path relative to this root, which may begin with `..`."""

    @abstractmethod
    def holds(self, other: Root) -> bool:
        """Whether `other` lies in this root, so that walking it walks the other too."""

    @abstractmethod
    def _open(self, path: str, until: int | None) -> AbstractContextManager[File]: ...

    def exists(self) -> bool:
        return self.only is not None or self.is_folder()

    @contextmanager
    def open(self, path: str, version: str = "", until: int | None = None) -> Iterator[File]:
        """Open the file `path`. What lies behind `until` (bytes) is not read ahead.

        Raises Gone for a file that cannot be opened, SourceError for a path that leaves the root and for a file that is
        no longer of the version `version`.
        """
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise SourceError(f"{path}: leaves the corpus folder {self}; plan the source again")
        with self._open(path, until) as file:
            if version and file.version != version:
                raise SourceError(f"{self}: {path} has changed since it was planned; plan the source again")
            yield file


def is_url(place: str | Path) -> bool:
    return isinstance(place, str) and URL.match(place) is not None


class _Stream(io.RawIOBase):
    """A File as Python's own kind of file."""

    def __init__(self, file: File) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
