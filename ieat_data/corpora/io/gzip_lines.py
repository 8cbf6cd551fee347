"""Lines of a gzip file in bounded memory, also from the middle: a process continues where it last stopped."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from dataclasses import dataclass

from ieat_data.corpora.io.files import MAX_PAYLOAD
from ieat_data.corpora.io.gzip_stream import inflated
from ieat_data.corpora.io.json_records import MAX_RECORD_BYTES, FieldError
from ieat_data.corpora.io.roots import Entry, File, Root
from ieat_data.corpora.io.units import Unit


@dataclass(frozen=True)
class Line:
    """Bytes [start, end) of the text; `raw` leaves out the newline. With a `problem`, `raw` is the line's beginning."""

    start: int
    end: int
    raw: bytes
    problem: FieldError | None = None


def lines(file: File) -> Iterator[Line]:
    """Yield every line of a gzip file. Data that cannot be decompressed gives one more, last line with a problem."""
    start = size = 0  # of the unfinished line
    parts: list[bytes] = []
    problem = None
    pieces = inflated(file)
    while problem is None:
        try:
            piece, _ = next(pieces, (None, 0))
        except FieldError as e:
            problem, piece = e, None
        if piece is None:
            break
        begin = 0
        while (hit := piece.find(b"\n", begin)) >= 0:
            parts.append(piece[begin:hit])
            size += hit + 1 - begin
            yield _line(start, size, parts)
            start, size, parts, begin = start + size, 0, [], hit + 1
        if size <= MAX_RECORD_BYTES:  # the beginning of a longer line is enough
            parts.append(piece[begin:])
        size += len(piece) - begin
    if problem is not None:
        # one byte past the end, so that no unit that ends before this line includes it
        yield Line(start, start + size + 1, b"".join(parts)[:MAX_PAYLOAD], problem)
    elif size:
        yield _line(start, size, parts)


def _line(start: int, size: int, parts: list[bytes]) -> Line:
    if size <= MAX_RECORD_BYTES:
        return Line(start, start + size, b"".join(parts))
    problem = FieldError("record_too_large", f"a line of {size} bytes, over {MAX_RECORD_BYTES}")
    return Line(start, start + size, b"".join(parts)[:MAX_PAYLOAD], problem)


# (root, file entry) -> (offset in its text, the lines from there on); at most one entry. Units are mostly read in
# order: without this, each would decompress everything before it.
_parked: dict[tuple[str, Entry | None], tuple[int, Iterator[Line] | None]] = {}
atexit.register(_parked.clear)  # close files while the modules that close them are still loaded


def _opened(root: Root, path: str, version: str) -> Iterator[Line]:
    with root.open(path, version) as file:
        yield from lines(file)


def lines_from(root: Root, unit: Unit) -> Iterator[Line]:
    """Yield the lines of a unit, with offsets in the text. The unit must start at the beginning of a line."""
    start, end = unit.start, unit.end
    key = (str(root), root.entry(unit.path))
    at, parked = _parked.pop(key, (0, None))
    source = _opened(root, unit.path, unit.version) if parked is None or at > start else parked
    for line in source:
        if line.end >= end:
            _parked.clear()
            _parked[key] = (line.end, source)
        if line.start >= start:
            yield line
        if line.end >= end:
            return
