"""A store: a folder of named files, on a file system or in a bucket. Tables and datasets are written through it alone.

What a store promises is what both kinds have, and what the commit protocol needs: a name appears with its whole content
or not at all, is durable when the call returns, and can be created by one writer only. There is no rename and no link.
Listing is slow and costs money on an object store: what can be known by name is asked by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from ieat_data.storage.sealed import seal, unseal

T = TypeVar("T")
R = TypeVar("R")


class Entry(NamedTuple):
    """What is known of a file without reading it."""

    size: int  # bytes
    modified: float  # Unix time, by the store's clock


class Log(Protocol):
    """A file that grows, or several with its name and a number in it.

    After a kill there is all that was appended, or all but the last few seconds of it.
    """

    def append(self, data: bytes) -> None:
        """Add data that is read as a whole: it is never divided over two files."""

    def close(self) -> None: ...


class Store(ABC):
    """A folder of files. A value: two with one place are equal, and it can be sent to another machine.

    `name` is a file's name below the folder, `/` allowed. All methods raise FileNotFoundError for a file that is not
    there, unless they say something else.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The last part of its place."""

    @property
    @abstractmethod
    def here(self) -> Path:
        """A folder of this machine for what needs a file system: logs, scratch files. For a local store, itself."""

    @abstractmethod
    def __truediv__(self, name: str) -> Store: ...

    @abstractmethod
    def make(self) -> None:
        """Make the folder, where folders have to be made."""

    # -- reading -------------------------------------------------------------------------------------------------

    @abstractmethod
    def read(self, name: str) -> bytes: ...

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return what `replace_json` wrote, or None if it is not there.

        Raises:
            Damaged: the file is not as it was written.
        """
        try:
            return unseal(self.read(name), f"{self}/{name}")
        except FileNotFoundError:
            return None

    @abstractmethod
    def path(self, name: str) -> Path:
        """Return a local file with the content: the file itself, or a copy that is kept for a while."""

    @abstractmethod
    def open(self, name: str) -> Any:
        """Return what pyarrow can read parts of: a path, or a file that fetches the ranges that are read."""

    @abstractmethod
    def range(self, name: str, start: int, end: int) -> bytes:
        """Return a file's bytes from `start` to before `end`; fewer, or an error, if it ends before."""

    @abstractmethod
    def find(self, name: str) -> Entry | None:
        """Return a file's size and time, or None if it is not there."""

    @abstractmethod
    def names(self, prefix: str = "") -> list[str]:
        """Return the names of the files and folders right in this folder that begin with `prefix`, sorted."""

    @abstractmethod
    def entries(self, prefix: str = "") -> dict[str, Entry]:
        """Return size and time of the files right in this folder whose names begin with `prefix`, by name."""

    def at_once(self, do: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield what `do` returns for each item, in order; several at once where requests wait for a server."""
        return map(do, items)

    # -- writing -------------------------------------------------------------------------------------------------

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """Create a file unless it exists. Return whether the file that is there is this call's.

        On an object store an answer can be lost after the file was created. What is there is then compared with `data`,
        so writers that must be told apart write different data.
        """

    @abstractmethod
    def replace(self, name: str, data: bytes) -> None:
        """Create or replace a file: a reader sees either the old content or the new one."""

    def replace_json(self, name: str, value: Mapping[str, Any], indent: int | None = None) -> None:
        """Create or replace a file of JSON that carries its own CRC."""
        self.replace(name, seal(value, indent))

    @abstractmethod
    def versioned(self, name: str) -> tuple[bytes, str]:
        """Return a file's content, and the version that `swap` compares."""

    @abstractmethod
    def swap(self, name: str, data: bytes, version: str) -> bool:
        """Replace a file if it still has this version (`versioned`). Return whether this call replaced it."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""

    @abstractmethod
    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Yield a path to write a large file to; it is in the store when the block has ended.

        For names that no other writer uses and no reader knows yet.
        """

    @abstractmethod
    def take(self, files: Mapping[str, tuple[Store, str]]) -> None:
        """Put copies of other stores' files here: as links, or by the server itself, where that is possible.

        `files`: the name here → the store, and the name there.
        """

    @abstractmethod
    def log(self, name: str) -> Log:
        """Open a new log for writing. `names` and `read` give what it holds, a file or several with this suffix."""
