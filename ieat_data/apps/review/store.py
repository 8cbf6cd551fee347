"""The decisions folder while people work on it: lines are appended, fsynced, and read as they come.

Several windows, processes and machines may write: an append holds the file's lock, so that lines never mix, and takes a
time later than every line of that file. A line that a crash broke off is ended before the next one is begun.
"""

from __future__ import annotations

import fcntl
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ieat_data.decisions.log import Decision, Key, file_name, files, parse, standing
from ieat_data.storage.shards import fsync_dir

_TAIL = 256  # bytes before the offset that must be as they were, else the file was written anew


@dataclass
class _Read:
    """How far a file is read."""

    node: int
    offset: int = 0  # after the last whole line
    lines: int = 0
    tail: bytes = b""
    decisions: list[Decision] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Store:
    """The decisions of a folder. Safe for threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, _Read] = {}
        self._lock = threading.RLock()
        self._standing: dict[Key, dict[str, dict[str, Decision]]] = {}
        self._by_id: dict[str, Decision] = {}
        self.version = 0  # raised with every change

    def refresh(self) -> None:
        """Read what was added since, by whomever. A file that was written anew (a merge) is read from its beginning."""
        with self._lock:
            paths = {p.name: p for p in files(self.folder)}
            changed = bool(gone := self._read.keys() - paths.keys())
            for name in gone:
                del self._read[name]
            for path in paths.values():
                with suppress(FileNotFoundError):  # it goes as it is looked at: the next look sees it
                    changed |= self._follow(path)
            if changed:
                everything = [d for r in self._read.values() for d in r.decisions]
                self._by_id = {d.id: d for d in everything}
                self._standing = standing(everything)
                self.version += 1

    def _follow(self, path: Path) -> bool:
        with path.open("rb") as f:
            stat = os.fstat(f.fileno())
            read = self._read.get(path.name)
            if read is not None and read.node == stat.st_ino and read.offset <= stat.st_size:
                f.seek(max(read.offset - _TAIL, 0))
                if f.read(read.offset - f.tell()) != read.tail:
                    read = None
            else:
                read = None
            anew = read is None
            read = read or _Read(stat.st_ino)
            f.seek(read.offset)
            data = f.read()
        whole = data[: data.rfind(b"\n") + 1]  # the rest may be a line that is being written
        if whole:
            loaded = parse(whole, path.name, read.lines + 1)
            read.decisions += loaded.decisions
            read.faults += loaded.faults
            read.offset += len(whole)
            read.lines += whole.count(b"\n")
            read.tail = (read.tail + whole)[-_TAIL:]
        self._read[path.name] = read
        return anew or bool(whole)

    @property
    def faults(self) -> list[str]:
        """Lines that are no decisions."""
        return [f for r in self._read.values() for f in r.faults]

    def reviewers(self) -> list[str]:
        with self._lock:
            return sorted({d.reviewer for d in self._by_id.values()})

    def standing(self) -> dict[Key, dict[str, dict[str, Decision]]]:
        """See `decisions.standing`. Not to be changed by the caller."""
        with self._lock:
            return self._standing

    def get(self, decision: str) -> Decision | None:
        with self._lock:
            return self._by_id.get(decision)

    def append(self, reviewer: str, **what: Any) -> Decision:
        """Write a decision down; when this returns it is on the disk. `what`: the fields of `Decision`.

        With an `id` that is known already nothing is written: the line is there from the try before.
        Raises ValueError (pydantic's) for what is no decision, OSError where it cannot be written.
        """
        fields = {"id": uuid.uuid4().hex, **what, "reviewer": reviewer}
        drafted = Decision(**fields, time=_text(datetime.now(UTC)))  # judged before a file is made
        name = file_name(drafted.reviewer)
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder / name) as fd:
                self.refresh()
                if known := self._by_id.get(drafted.id):
                    return known
                last = max((d.time for d in self._read[name].decisions), default="")
                decision = Decision(**fields, time=_after(last))
                _write(fd, decision.line())
            self.refresh()
            return decision


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, made where it is not there, for this writer alone."""
    while True:
        new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if new:
                fsync_dir(path.parent)
            # git puts another file in its place: a line in the old one would be lost
            if path.exists() and path.stat().st_ino == os.fstat(fd).st_ino:
                yield fd
                return
        finally:
            os.close(fd)


def _write(fd: int, line: bytes) -> None:
    """Append a line, all of it or nothing."""
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        line = b"\n" + line
    try:
        if os.write(fd, line) != len(line):
            raise OSError("the line was written in part")
        os.fsync(fd)
    except OSError:
        os.ftruncate(fd, size)
        raise


def _after(last: str) -> str:
    """Now; where the clock went back, a millisecond after the last line."""
    now = _text(datetime.now(UTC))
    if now > last:
        return now
    return _text(datetime.fromisoformat(last) + timedelta(milliseconds=1))


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
