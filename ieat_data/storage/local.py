"""A store on a file system, and the steps that make a file durable and let only one writer create it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ieat_data.errors import UserError
from ieat_data.storage.store import Entry, Log, Store


def check_writable(folder: Path) -> None:
    """Check that files can be written into a folder, which need not exist. Nothing of what is tried stays.

    Raises:
        OSError: they cannot; it names the path that is in the way.
        UserError: its name is not UTF-8.
    """
    check_name(folder)
    missing: list[Path] = []
    for place in (folder, *folder.parents):
        try:
            mode = place.stat().st_mode
        except FileNotFoundError:
            missing.append(place)
            continue
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        break
    made: list[Path] = []
    try:
        for place in reversed(missing):
            _make_folder(place)
            made.append(place)
        probe = folder / f".ieat-{uuid.uuid4().hex[:8]}"
        try:
            probe.touch()
            probe.unlink()
        except OSError as e:
            number = errno.EPERM if e.errno == errno.ENOENT else e.errno
            raise OSError(number, os.strerror(number or errno.EPERM), str(folder)) from None
    finally:
        for place in reversed(made):
            with contextlib.suppress(OSError):  # another process has put something there
                place.rmdir()


def existing(folder: Path) -> Path:
    """Return a folder, or its nearest parent that exists."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _make_folder(place: Path) -> None:
    try:
        place.mkdir(exist_ok=True)
    except FileNotFoundError:  # its parent is there: a file system such as /proc, which takes no folder
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(place)) from None


def check_name(path: Path) -> None:
    """Check that a path is UTF-8: Arrow opens no other, and JSON holds no other.

    Raises:
        UserError: it is not.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(f"{str(path)!r}: this name is not UTF-8: rename it, or name another") from None


def fsync_dir(path: Path) -> None:
    """Make renames and links in the folder `path` durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_file(path: Path) -> None:
    """Make the content of the file `path` durable."""
    with path.open("rb") as f:
        os.fsync(f.fileno())


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name into an error that has none: a full disk is met in a write, not in opening a file."""
    try:
        yield
    except OSError as e:
        if e.errno is not None and e.filename is None:
            e.filename = str(path)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write and fsync `path` (readers do not see it before a record names it)."""
    with _naming(path), path.open("wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Replace `path` by `data` atomically: a reader sees either the old file or the new one.

    What is no file (a pipe, /dev/null) is written to: replaced, the device itself would be gone.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    tmp = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        write_bytes(tmp, data)
        tmp.replace(path)
    finally:
        tmp.unlink(missing_ok=True)
    fsync_dir(path.parent)


def create_if_absent(path: Path, data: bytes) -> bool:
    """Create `path` with `data`, atomically, unless it exists. Return whether this call created it."""
    tmp = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        write_bytes(tmp, data)
        os.link(tmp, path)  # atomic, and fails if the name exists
    except FileExistsError:
        return False
    finally:
        tmp.unlink(missing_ok=True)
    fsync_dir(path.parent)
    return True


@dataclass(frozen=True)
class LocalStore(Store):
    """A folder of a file system; for a cluster, of one that all nodes share."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def __truediv__(self, name: str) -> LocalStore:
        return LocalStore(self.folder / name)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def here(self) -> Path:
        return self.folder

    def make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def path(self, name: str) -> Path:
        return self.folder / name

    def open(self, name: str) -> Path:
        return self.folder / name

    def range(self, name: str, start: int, end: int) -> bytes:
        with (self.folder / name).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def find(self, name: str) -> Entry | None:
        try:
            found = (self.folder / name).stat()
        except FileNotFoundError:
            return None
        return Entry(found.st_size, found.st_mtime)

    def names(self, prefix: str = "") -> list[str]:
        try:
            return sorted(n for n in os.listdir(self.folder) if n.startswith(prefix))
        except FileNotFoundError:
            return []

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        found = {name: self.find(name) for name in self.names(prefix)}
        return {name: entry for name, entry in found.items() if entry is not None}

    def create(self, name: str, data: bytes) -> bool:
        return create_if_absent(self.folder / name, data)

    def replace(self, name: str, data: bytes) -> None:
        replace_file(self.folder / name, data)

    def versioned(self, name: str) -> tuple[bytes, str]:
        data = self.read(name)
        return data, hashlib.sha256(data).hexdigest()

    def swap(self, name: str, data: bytes, version: str) -> bool:
        path = self.folder / name
        with FileLock(path.with_name(f".{path.name}.lock")):
            try:
                if self.versioned(name)[1] != version:
                    return False
            except FileNotFoundError:
                return False
            replace_file(path, data)
            return True

    def delete(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        path = self.folder / name
        with _naming(path):
            yield path
            fsync_file(path)
        fsync_dir(path.parent)

    def take(self, files: Mapping[str, tuple[Store, str]]) -> None:
        for name, (source, file) in files.items():
            self._take(self.folder / name, source, file)
        if files:
            fsync_dir(self.folder)

    def _take(self, target: Path, source: Store, file: str) -> None:
        there = source.path(file)
        if isinstance(source, LocalStore):  # another store's local file is a copy that does not stay
            with contextlib.suppress(OSError):
                os.link(there, target)
                return
        tmp = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            shutil.copyfile(there, tmp)
            shutil.copystat(there, tmp)  # its time tells later that it is a copy of this very file
            fsync_file(tmp)
            tmp.replace(target)
        finally:
            tmp.unlink(missing_ok=True)

    def log(self, name: str) -> Log:
        return _LocalLog(self.folder / name)


class _LocalLog:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("xb")

    def append(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
