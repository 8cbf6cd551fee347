"""What all readers share: finding a corpus's files, reading ranges of them, keys, and text that is safe to store."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from ieat_data.sources.base import BadRecord, SourceError, Unit

T = TypeVar("T")

CHUNK = 1 << 20  # bytes read at once while scanning
MAX_PAYLOAD = 64 << 10  # bytes of a broken record that go to quarantine
MAX_NAME = 200  # characters of a corpus's own id that go into a key


class Readable(Protocol):
    """Bytes that are read by position: a file, or what is inflated of one."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    def read(self, offset: int, n: int) -> bytes: ...


@dataclass(frozen=True)
class File:
    """An open file of a corpus, read by position only: `read(offset, n)`. `size` is in bytes."""

    path: str
    size: int
    fd: int

    def read(self, offset: int, n: int) -> bytes:
        """Up to `n` bytes at `offset`; fewer only at the end of the file."""
        parts: list[bytes] = []
        while n > 0:
            part = os.pread(self.fd, n, offset)
            if not part:
                break
            parts.append(part)
            offset, n = offset + len(part), n - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def corpus_files(root: Path, suffixes: tuple[str, ...], keep: Callable[[str], bool] = lambda name: True) -> list[str]:
    """Paths relative to `root` (POSIX form, sorted) of the files that end in one of `suffixes`, hidden ones left out.

    `root` may be one file. Raises SourceError when it is missing or holds no such file.
    """
    if root.is_file():
        return [root.name]
    if not root.is_dir():
        raise SourceError(f"{root}: no such folder; set `root` in the source manifest to the folder of the corpus")
    found = sorted(
        path.as_posix()
        for path in (p.relative_to(root) for p in root.rglob("*") if p.name.endswith(suffixes) and p.is_file())
        if not any(part.startswith(".") for part in path.parts) and keep(path.name)
    )
    if not found:
        wanted = " or ".join(f"**/*{suffix}" for suffix in suffixes)
        raise SourceError(f"{root}: holds no file {wanted}; is it this corpus, and is the download whole?")
    return found


@contextmanager
def open_file(root: Path, path: str) -> Iterator[File]:
    """Open the file `path` of the corpus at `root`. Raises SourceError when it leaves the root or cannot be opened."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise SourceError(f"{path}: leaves the corpus folder {root}; plan the source again")
    full = root if root.is_file() else root / path
    try:
        fd = os.open(full, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would be waited for without end
    except OSError as e:
        raise SourceError(f"{full}: cannot be opened ({e.strerror}); was it moved since the plan?") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{full}: is no file")
        yield File(path, status.st_size, fd)
    finally:
        os.close(fd)


def record_key(path: str, ordinal: int, name: str) -> str:
    """The key of the record that is number `ordinal` of `path` and that the corpus calls `name`.

    A corpus's own ids repeat, across files and within them, and a unit is read without the others, so that a repeated
    id cannot be seen. The file and the ordinal make the key unique whatever the ids are.
    """
    return f"{printable(name[:MAX_NAME])}@{path}#{ordinal}"


def printable(text: str) -> str:
    """A corpus's own text as it can stand in a key, a line or a file: what cannot be printed becomes `?`."""
    return "".join(c if c.isprintable() else "?" for c in text)


def bad_record(path: str, ordinal: int, name: str, reason: str, message: str, payload: bytes = b"") -> BadRecord:
    """A BadRecord with the file named in its message and the payload cut."""
    return BadRecord(record_key(path, ordinal, name), reason, f"{path}: {printable(message)}", payload[:MAX_PAYLOAD])


def is_storable(text: str) -> bool:
    r"""False for text that UTF-8 cannot hold: JSON's "\ud83d" alone gives half a character."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def exactly(unit: Unit, records: Iterable[T]) -> Iterator[T]:
    """The first `unit.rows` of `records`. SourceError when there are fewer: it is not the file that was planned."""
    missing = unit.rows
    for record in itertools.islice(records, unit.rows):
        missing -= 1
        yield record
    if missing:
        raise SourceError(f"{unit.path}: holds fewer records than when it was planned; restore it or plan again")
