"""Packs: a tar.gz of `NAME/wavs/ID.wav` and `NAME/txts/ID.txt`, or the folder extracted from it.

In an archive all texts may come after all recordings, and there is no random access. So a pack is read twice: once to
index the texts, once to read the recordings. The index is on disk: an archive may hold any number of members.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from ieat_data.corpora.io.account import Account
from ieat_data.corpora.io.gzip_stream import GzipStream
from ieat_data.corpora.io.names import is_unsafe
from ieat_data.corpora.io.roots import FileGone, Root
from ieat_data.corpora.io.tar import members

ARCHIVE = ".tar.gz"
MAX_TXT_BYTES = 64 << 10  # the timestamps of a minute of speech take 6 KB
_PIECE = re.compile(r"(?:.*/)?(?:wavs/([^/.][^/]*)\.((?i:wav))|txts/([^/.][^/]*)\.((?i:txt)))")


@dataclass(frozen=True)
class Piece:
    """The recording (`kind` wav) or text (`txt`) of the utterance `id`. With a `problem` it is neither.

    `read(n)` returns its first `n` bytes; in an archive only until the next piece is requested.
    """

    kind: str
    id: str
    size: int
    read: Callable[[int], bytes]
    problem: str = ""


def piece_name(path: str) -> tuple[str, str] | None:
    """Return (`wav` or `txt`, the utterance's id) for a file in a pack; None for any other file."""
    match = _PIECE.fullmatch(path)
    return ((match[2] or match[4]).lower(), match[1] or match[3]) if match else None


def packs(root: Root, folder: str) -> list[str]:
    """Return the sorted names of the packs in `folder`.

    If both an archive and the folder extracted from it are there, take the archive: it is certainly complete.
    """
    found = [c for c in root.children(folder) if not c.name.startswith(".")]
    archives = {c.name for c in found if c.name.endswith(ARCHIVE) and root.entry(f"{folder}/{c.name}")}
    within = ((c.name, f"{folder}/{c.name}") for c in found if c.kind != "file")
    trees = {name for name, path in within if root.is_folder(f"{path}/wavs") or root.is_folder(f"{path}/txts")}
    return sorted(archives | {t for t in trees if t + ARCHIVE not in archives})


def pieces(root: Root, pack: str, version: str = "", account: Account | None = None) -> Iterator[Piece]:
    """Yield the content of the pack `pack` (a path below `root`) in a fixed order. Tell other files to `account`."""
    account = account or Account()
    return archive_pieces(root, pack, version, account) if pack.endswith(ARCHIVE) else tree_pieces(root, pack, account)


def archive_pieces(root: Root, pack: str, version: str, account: Account) -> Iterator[Piece]:
    """Yield the pieces of an archive in its order; if it ends early, the last piece has a problem."""
    account.begin()
    with root.open(pack, version) as file:
        stream, end, after = GzipStream(file), 0, 0
        for member in members(stream, 0, stream.size, account):
            end, after = member.data + member.size, member.end
            size = member.end - member.start
            read = partial(_of_member, stream, member.data, member.size)
            if member.problem:
                account.read(size)
                if member.problem == "damaged_archive":
                    account.lose(pack, member.start, size)
                yield Piece("", member.name, member.size, read, member.problem)
            elif name := piece_name(member.name):
                account.read(size)
                yield Piece(*name, member.size, read)
            else:
                hidden = member.name.rsplit("/", 1)[-1].startswith(".")
                account.tell("hidden_member" if hidden else "other_member", f"{pack}: {member.name}", size)
        account.read(min(0, stream.size - after))  # what the last member lacks
        account.end(pack, stream.size)
        if stream.problem or end > stream.size:
            yield Piece("", "", 0, lambda n: b"", stream.problem or "truncated_tar")


def tree_pieces(root: Root, pack: str, account: Account) -> Iterator[Piece]:
    """Yield the pieces of an extracted archive, sorted by name. Do not follow links in it: the archive made them."""
    for child in root.children(pack):
        if child.name not in ("wavs", "txts"):
            account.tell("hidden_file" if child.name.startswith(".") else "other_file", f"{pack}/{child.name}")
        elif child.kind == "file":
            account.tell("other_file", f"{pack}/{child.name}")
    there = {c.name: c.kind for c in root.children(pack)}
    for kind in ("wavs", "txts"):
        if there.get(kind) == "other":
            yield Piece("", kind, 0, lambda n: b"", "not_a_file")
        if there.get(kind) != "folder":
            continue
        for child in root.children(f"{pack}/{kind}"):
            path = f"{kind}/{child.name}"
            name = piece_name(path)
            if name is None or child.kind == "folder":
                account.tell("hidden_file" if child.name.startswith(".") else "other_file", f"{pack}/{path}")
                continue
            problem = "" if child.kind == "file" else "not_a_file"
            problem = "unsafe_name" if is_unsafe(child.name) else problem
            read = partial(_of_file, root, f"{pack}/{path}")
            yield Piece("" if problem else name[0], name[1], child.size, read, problem)


def _of_member(stream: GzipStream, data: int, size: int, n: int) -> bytes:
    return stream.read(data, min(n, size))


def _of_file(root: Root, path: str, n: int) -> bytes:
    with root.open(path) as file:
        return file.read(0, n)


class Index:
    """Records which utterances have a recording and a text; the first of repeated ones counts. A context manager."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")  # a private temporary file
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(
            "CREATE TABLE utterance"
            " (id TEXT PRIMARY KEY, wav INTEGER, txt INTEGER, line BLOB, problem TEXT, score REAL) WITHOUT ROWID"
        )

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exc: object) -> None:
        self._db.close()

    def add(self, at: int, piece: Piece, line: bytes = b"", problem: str = "") -> None:
        """Add piece number `at` of the pack; for a text also its first line, or why that cannot be read."""
        new = (piece.id, at, line, problem)
        if piece.kind == "wav":
            self._db.execute(
                "INSERT INTO utterance (id, wav) VALUES (?1, ?2)"
                " ON CONFLICT (id) DO UPDATE SET wav = ?2 WHERE wav IS NULL",
                new[:2],
            )
        else:
            self._db.execute(
                "INSERT INTO utterance (id, txt, line, problem) VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (id) DO UPDATE SET txt = ?2, line = ?3, problem = ?4 WHERE txt IS NULL",
                new,
            )

    def add_listed(self, ids: Iterable[str]) -> None:
        """Add utterances that a list says are in the pack."""
        self._db.executemany("INSERT OR IGNORE INTO utterance (id) VALUES (?)", ((i,) for i in ids))

    def set_scores(self, scores: Iterable[tuple[str, float]]) -> None:
        self._db.executemany("UPDATE utterance SET score = ?2 WHERE id = ?1", scores)

    def pairs(self) -> int:
        """Count the utterances that have both a recording and a text."""
        return int(self._db.execute("SELECT count(*) FROM utterance WHERE wav NOTNULL AND txt NOTNULL").fetchone()[0])

    def absent(self) -> Iterator[str]:
        """Yield, sorted, the listed ids that have neither."""
        for row in self._db.execute("SELECT id FROM utterance WHERE wav ISNULL AND txt ISNULL ORDER BY id"):
            yield str(row[0])

    def find(self, id: str) -> Utterance:
        row = self._db.execute("SELECT wav, txt, line, problem, score FROM utterance WHERE id = ?", (id,)).fetchone()
        return Utterance(*row)


@dataclass(frozen=True)
class Utterance:
    """An entry of the index: the numbers of its pieces, the first line of its text, its score in the corpus's list."""

    wav: int | None
    txt: int | None
    line: bytes | None
    problem: str | None
    score: float | None


def index_pack(index: Index, found: Iterable[Piece], texts: bool) -> tuple[int, bool]:
    """Index the pieces of a pack, with their texts or without.

    Returns:
        (number of pieces, whether the pack is certainly complete)
    """
    n, whole = 0, True
    for n, piece in enumerate(found, 1):
        if piece.problem:
            whole = whole and piece.problem in ("unsafe_name", "not_a_file")
        elif piece.kind == "txt" and texts:
            index.add(n, piece, *first_line(piece))
        else:
            index.add(n, piece)
    return n, whole


def first_line(piece: Piece) -> tuple[bytes, str]:
    """Return (first line of a text, "") or (what there is of it, reason code)."""
    try:
        data = piece.read(MAX_TXT_BYTES)
    except (OSError, FileGone):
        return b"", "unreadable_file"
    line = data.split(b"\n", 1)[0]
    if piece.size > MAX_TXT_BYTES:
        return line[:2048], "member_too_large"
    return line, "" if len(data) == piece.size else "truncated_tar"
