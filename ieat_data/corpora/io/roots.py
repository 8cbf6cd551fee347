"""Where a corpus lies: a local folder, an S3-compatible store, or a dataset on the Hugging Face hub.

A reader sees a `Root`, which lists and opens files, and a `File`, which is read by position; it does not notice which
of the three it reads. Remote roots need an extra (`s3`, `hf`), which is imported on first use.
"""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, NamedTuple

from ieat_data.corpora.io.account import Account
from ieat_data.corpora.io.names import AUDIO_SUFFIXES
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.storage.ranged import RangedFile

URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_POINTER, _POINTER_BYTES = b"version https://git-lfs.github.com/spec/v1", 1024
_STREAMED = 1 << 20  # bytes that a stream reads at a time


Odd = Callable[[str, str], None]


class FileGone(SourceError):
    """A file that does not exist or cannot be opened."""


class NotFetched(SourceError):
    """A name without its content: a git-lfs pointer, a download that has not ended."""


class Entry(NamedTuple):
    """A file: its path below the root, its size in bytes, and a version that changes when its content does.

    `version` is the modification time in ns of a local file, the store's own tag (ETag, blob id) of a remote one.
    """

    path: str
    size: int
    version: int | str


class Child(NamedTuple):
    """An entry of a folder. A link is `other`, whatever its target. `size` and `version` are as in Entry."""

    name: str
    kind: Literal["file", "folder", "other"]
    size: int = 0
    version: int | str = ""


class File(ABC):
    """An open file of a corpus. `version` identifies the content of a remote file; a local file has none."""

    path: str
    size: int  # bytes
    version: str = ""

    @abstractmethod
    def read(self, offset: int, n: int) -> bytes:
        """Return up to `n` bytes at `offset`; fewer only at the end of the file.

        Raises:
            SourceError: the connection is lost.
        """

    def stream(self) -> BinaryIO:
        """Return a file object for a library that reads by itself; valid while this file is open."""
        return io.BufferedReader(RangedFile(self.read, self.size), _STREAMED)

    def unit(self, start: int, end: int, rows: int, index: int, skip: int = 0) -> Unit:
        """Return a unit of this file; it can be read only while the file keeps its present version."""
        return Unit(self.path, start, end, rows, index, skip, self.version)


class Root(ABC):
    """A corpus. All paths are relative to it, in POSIX form; `str(root)` is its place as messages name it."""

    at_once = 1  # files worth scanning in parallel while a corpus is planned

    @cached_property
    def account(self) -> Account:
        """What was read here and what was left out, as shared code notes it."""
        return Account()

    @property
    @abstractmethod
    def only(self) -> str | None:
        """Return the file's name if the root is a single file; paths are then relative to its folder."""

    @abstractmethod
    def entry(self, path: str) -> Entry | None:
        """Return the file `path`, or None if there is none."""

    @abstractmethod
    def is_folder(self, path: str = "") -> bool: ...

    @abstractmethod
    def walk(self, path: str = "", odd: Odd | None = None) -> Iterator[Entry]:
        """Yield all files in and below `path` (or the file `path`), those of one folder sorted by name.

        `odd` is called with a code of `account.TOLD` and the name of whatever else is there: links to nothing, linked
        folders (which are not followed), folders that cannot be listed, pipes.
        """

    @abstractmethod
    def children(self, path: str) -> list[Child]:
        """Return the entries of the folder `path`, sorted by name; an empty list if it is no folder."""

    def sha256(self, path: str) -> str | None:
        """Return the sha256 of a file's content, or None if reading it only for this costs too much."""
        return None

    @abstractmethod
    def beside(self, place: str) -> Root:
        """Return the root at `place`, a path relative to this root, which may begin with `..`."""

    @abstractmethod
    def holds(self, other: Root) -> bool:
        """Tell whether `other` lies in this root, so that walking this root also walks `other`."""

    @abstractmethod
    def _open(self, path: str, until: int | None) -> AbstractContextManager[File]: ...

    def exists(self) -> bool:
        return self.only is not None or self.is_folder()

    @contextmanager
    def open(self, path: str, version: str = "", until: int | None = None) -> Iterator[File]:
        """Open the file `path`. Do not read ahead beyond `until` (bytes).

        Raises:
            FileGone: the file cannot be opened.
            SourceError: the path leaves the root, or the file no longer has the version `version`.
        """
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise SourceError(f"{path}: leaves the corpus folder {self}; plan the source again")
        with self._open(path, until) as file:
            if version and file.version != version:
                raise SourceError(f"{self}: {path} has changed since it was planned; plan the source again")
            if file.size <= _POINTER_BYTES and file.read(0, len(_POINTER)) == _POINTER:
                raise NotFetched(f"{self}: {path} is a git-lfs pointer, not the file; run: git lfs pull")
            audio = path.lower().endswith(AUDIO_SUFFIXES)
            (self.account.opened if audio else self.account.visited).add(path)
            yield file


def is_url(place: str | Path) -> bool:
    """Tell whether `place` is a URL and not a local path."""
    return isinstance(place, str) and URL.match(place) is not None
