"""The decisions folder while people work on it: lines are appended, fsynced, and read as they arrive.

Several windows, processes and machines may write: an append holds the file's lock, so that lines never mix, and gets a
time later than every line in that file. A line that a crash left incomplete is ended before the next one begins.
"""

from __future__ import annotations

import fcntl
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ieat_data.decisions.log import Decision, Key, file_name, files, parse, standing
from ieat_data.storage.local import fsync_dir

_TAIL = 256  # bytes before the offset that must be unchanged, otherwise the file was rewritten


@dataclass
class _Read:
    """How far a file has been read."""

    node: int
    offset: int = 0  # after the last complete line
    lines: int = 0
    tail: bytes = b""
    decisions: list[Decision] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Store:
    """The decisions in a folder. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, _Read] = {}
        self._lock = threading.RLock()
        self._standing: dict[Key, dict[str, dict[str, Decision]]] = {}
        self._by_id: dict[str, Decision] = {}
        self.version = 0  # increases with every change

    def refresh(self) -> None:
        """Read new lines, whoever wrote them. Read a rewritten file (a merge) from its beginning."""
        with self._lock:
            paths = {p.name: p for p in files(self.folder)}
            changed = bool(gone := self._read.keys() - paths.keys())
            for name in gone:
                del self._read[name]
            for path in paths.values():
                with suppress(FileNotFoundError):  # deleted meanwhile: the next refresh sees that
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
        whole = data[: data.rfind(b"\n") + 1]  # the rest may be a line in the middle of being written
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
        """Return the lines that are not valid decisions."""
        return [f for r in self._read.values() for f in r.faults]

    def reviewers(self) -> list[str]:
        with self._lock:
            return sorted({d.reviewer for d in self._by_id.values()})

    def standing(self) -> dict[Key, dict[str, dict[str, Decision]]]:
        """Return the standing decisions (`decisions.standing`). The caller must not modify them."""
        with self._lock:
            return self._standing

    def get(self, decision: str) -> Decision | None:
        with self._lock:
            return self._by_id.get(decision)

    def append(self, reviewer: str, **what: Any) -> Decision:
        """Save a decision; on return it is on the disk. `what`: the fields of `Decision`.

        If its `id` is known already nothing is written: an earlier attempt wrote the line.

        Raises:
            ValueError: it is not a valid decision (pydantic's error).
            OSError: it cannot be written.
        """
        return self.append_all(reviewer, [{"id": uuid.uuid4().hex, **what}])[0]

    def append_all(self, reviewer: str, several: Sequence[Mapping[str, Any]]) -> list[Decision]:
        """Save several decisions of one person with one write, as `append` does; those known already are not repeated.

        Args:
            reviewer: whose decisions they are.
            several: the fields of each, with its `id`; not empty.
        """
        now = _text(datetime.now(UTC))
        drafted = [Decision(**{**what, "reviewer": reviewer, "time": now}) for what in several]  # before a file is made
        name = file_name(drafted[0].reviewer)
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder / name) as fd:
                self.refresh()
                time = _after(max((d.time for d in self._read[name].decisions), default=""))
                made = [self._by_id.get(d.id) or d.model_copy(update={"time": time}) for d in drafted]
                fresh = [d for d in made if d.id not in self._by_id]
                if fresh:
                    _write(fd, b"".join(d.line() for d in fresh))
            self.refresh()
            return made

    def of_batch(self, reviewer: str, batch: str) -> list[Decision]:
        """Return a person's decisions of one batch that are not undone."""
        with self._lock:
            mine = [d for d in self._by_id.values() if d.reviewer == reviewer]
        undone = {d.undoes for d in mine if d.decision == "undo"}
        return [d for d in mine if batch and d.batch == batch and d.decision != "undo" and d.id not in undone]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open the file, create it if missing, and lock it for this writer."""
    while True:
        new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if new:
                fsync_dir(path.parent)
            # git replaces the file: a line written into the old one would be lost
            if path.exists() and path.stat().st_ino == os.fstat(fd).st_ino:
                yield fd
                return
        finally:
            os.close(fd)


def _write(fd: int, lines: bytes) -> None:
    """Append whole lines, or nothing."""
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        lines = b"\n" + lines
    try:
        if os.write(fd, lines) != len(lines):
            raise OSError("what was decided was written only in part")
        os.fsync(fd)
    except OSError:
        os.ftruncate(fd, size)
        raise


def _after(last: str) -> str:
    """Return the present time; if the clock went back, a millisecond after the last line."""
    now = _text(datetime.now(UTC))
    if now > last:
        return now
    return _text(datetime.fromisoformat(last) + timedelta(milliseconds=1))


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
