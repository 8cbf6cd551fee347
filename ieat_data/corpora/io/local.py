"""A corpus in a local folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from ieat_data.corpora.io.names import shown
from ieat_data.corpora.io.roots import Child, Entry, File, FileGone, NotFetched, Odd, Root
from ieat_data.corpora.io.units import SourceError
from ieat_data.storage.parts import sha256_file


class LocalFile(File):
    """An open file, read with `pread`."""

    def __init__(self, path: str, size: int, fd: int) -> None:
        self.path, self.size, self._fd = path, size, fd

    def read(self, offset: int, n: int) -> bytes:
        parts: list[bytes] = []
        while n > 0:
            part = os.pread(self._fd, n, offset)
            if not part:
                break
            parts.append(part)
            offset, n = offset + len(part), n - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def stream(self) -> BinaryIO:
        return open(self._fd, "rb", closefd=False)


class LocalRoot(Root):
    """The folder or the single file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return shown(str(self._path))  # a name on disk need not be UTF-8

    @cached_property
    def only(self) -> str | None:
        return self._path.name if self._path.is_file() else None

    @cached_property
    def _folder(self) -> Path:
        return self._path.parent if self.only else self._path

    def entry(self, path: str) -> Entry | None:
        full = self._folder / path
        # Path.is_file raises for an invalid file name
        if not os.path.isfile(full):  # noqa: PTH113
            return None
        found = full.stat()
        return Entry(path, found.st_size, found.st_mtime_ns)

    def is_folder(self, path: str = "") -> bool:
        return (self._path / path).is_dir()

    def walk(self, path: str = "", odd: Odd | None = None) -> Iterator[Entry]:
        if one := self.entry(self.only if self.only and not path else path):
            yield one
            return
        tell = odd or (lambda code, name: None)

        def below(folder: str) -> str:
            found = Path(folder).relative_to(self._path).as_posix()
            return "" if found == "." else f"{found}/"

        def unlisted(e: OSError) -> None:
            tell("unlisted_folder", below(e.filename))

        for folder, folders, names in os.walk(self._path / path, onerror=unlisted):
            folders.sort()
            for name in folders:
                if (Path(folder) / name).is_symlink():
                    tell("linked_folder", f"{below(folder)}{name}")
            for name in sorted(names):
                full = f"{below(folder)}{name}"
                if found := self.entry(full):
                    yield found
                else:
                    tell("dangling_link" if (Path(folder) / name).is_symlink() else "not_a_file", full)

    def children(self, path: str) -> list[Child]:
        if not self.is_folder(path):
            return []
        try:
            with os.scandir(self._path / path) as found:
                return [_child(e) for e in sorted(found, key=lambda e: e.name)]
        except OSError as e:
            raise SourceError(f"{shown(str(self._path / path))}: cannot be listed ({e.strerror})") from None

    def sha256(self, path: str) -> str:
        return sha256_file(self._folder / path)

    def beside(self, place: str) -> Root:
        return LocalRoot(self._folder / place)

    def holds(self, other: Root) -> bool:
        return isinstance(other, LocalRoot) and other._path.resolve().is_relative_to(self._path.resolve())

    @contextmanager
    def _open(self, path: str, until: int | None) -> Iterator[File]:
        full = self._folder / path
        try:
            # without O_NONBLOCK, opening a pipe would wait forever
            fd = os.open(full, os.O_RDONLY | os.O_NONBLOCK)
        except (OSError, ValueError) as e:
            why = e.strerror if isinstance(e, OSError) else "the name is not valid"
            raise FileGone(f"{shown(str(full))}: cannot be opened ({why}); was it moved since the plan?") from None
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise FileGone(f"{shown(str(full))}: is not a file; was it moved since the plan?")
            if full.with_name(f"{full.name}.aria2").exists():
                raise NotFetched(
                    f"{full}: its download is not finished ({full.name}.aria2 lies beside it); finish it with the same "
                    "command, or delete both"
                )
            yield LocalFile(path, found.st_size, fd)
        finally:
            os.close(fd)


def _child(e: os.DirEntry[str]) -> Child:
    if e.is_dir(follow_symlinks=False):
        return Child(e.name, "folder")
    found = e.stat(follow_symlinks=False)
    return Child(e.name, "file" if stat.S_ISREG(found.st_mode) else "other", found.st_size, found.st_mtime_ns)
