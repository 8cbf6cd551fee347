"""CSV and TSV in bounded memory: where each record lies, so that a unit is read alone, and what its cells hold.

A field in quotation marks may hold separators, line ends and doubled quotation marks. In a file that does not mean
them so (`a1|"Yes," she said`), or where nothing closes one, a line is taken as it stands if it has as many cells as
the first.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ieat_data.corpora.io.files import CHUNK
from ieat_data.corpora.io.json_records import FieldError, check_encoding
from ieat_data.corpora.io.roots import File, Root
from ieat_data.corpora.io.units import SourceError, Unit

DELIMITERS = (",", "\t", ";", "|")
_BOM = codecs.BOM_UTF8
_MAX_RECORD = 64 << 10  # bytes: no text of a clip is longer, and an unclosed quotation mark would take all that follows
_HEAD_BYTES = 64 << 10


@dataclass(frozen=True)
class Layout:
    """How the cells of a file are written. `header` ends at the byte `begin`."""

    delimiter: str
    encoding: str
    columns: tuple[str, ...]
    begin: int


@dataclass(frozen=True)
class Line:
    """Bytes [start, end) of a file: a record, or a line of one. `raw` leaves out what a too long one has more."""

    start: int
    end: int
    raw: bytes
    problem: FieldError | None = None
    parts: tuple[bytes, ...] = ()  # of a record: its lines
    literal: bool = False  # its quotation marks open no field


def layout(file: File, delimiter: str = "", encoding: str = "", header: bool = True) -> Layout:
    """Return how a file is written, by its first line.

    Args:
        file: the open table.
        delimiter: between cells; "": the one of `DELIMITERS` that the first line has most of, in a .tsv a tab.
        encoding: of the text; "": UTF-8.
        header: the first line names the columns. Otherwise they are called 1, 2, 3, …

    Raises:
        SourceError: the file is in another encoding, or its first line cannot be read.
    """
    head = file.read(0, _HEAD_BYTES)
    check_encoding(file, head)
    name = _codec(encoding)
    begin = len(_BOM) if head.startswith(_BOM) else 0
    if not encoding:
        _check_utf8(file)
    first = next(_records(file, begin, file.size, delimiter or ",", name), None)
    if first is None:
        return Layout(delimiter or ",", name, (), file.size)
    text = first.raw.decode(name, "replace")
    if not delimiter:
        tabs = "\t" in text and file.path.lower().endswith(".tsv")
        delimiter = "\t" if tabs else max(DELIMITERS, key=text.split("\n")[0].count)
        first = next(_records(file, begin, file.size, delimiter, name))  # a quotation mark may be seen otherwise now
    found = Layout(delimiter, name, (), begin)
    try:
        row = cells(found, first)
    except FieldError as e:
        raise SourceError(f"{file.path}: its first line cannot be read: {e}") from None
    if header:
        return replace(found, columns=tuple(c.strip() for c in row), begin=first.end)
    return replace(found, columns=tuple(str(i) for i in range(1, len(row) + 1)))


def _codec(encoding: str) -> str:
    if not encoding:
        return "utf-8"
    try:
        name = codecs.lookup(encoding).name
        "a".encode(name)
    except (LookupError, UnicodeError):
        raise SourceError(f"option encoding: {encoding!r} is no encoding; utf-8, gb18030, cp1252, … are") from None
    if "a\n".encode(name) != b"a\n":
        raise SourceError(f"option encoding: {encoding}: save the table as UTF-8: iconv -f {encoding} -t UTF-8")
    return name


def _check_utf8(file: File) -> None:
    if likely := likely_encoding(file):
        raise SourceError(
            f"{file.path}: is not UTF-8; if it is {likely}, as it seems, set the option encoding: {likely}, or save it "
            f"as UTF-8: iconv -f {likely} -t UTF-8 FILE > NEW"
        )


def likely_encoding(file: File) -> str:
    """Return the encoding that a file seems to have; "" for UTF-8, also with a few broken lines."""
    head = file.read(0, _HEAD_BYTES)
    whole = head if len(head) < _HEAD_BYTES else head[: head.rfind(b"\n") + 1]
    lines = whole.split(b"\n")
    bad = sum(not _is_utf8(line) for line in lines)
    return _likely(whole) if bad and (not _is_utf8(lines[0]) or bad * 20 >= len(lines) - 1) else ""


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _likely(text: bytes) -> str:
    try:
        chinese = sum("\u4e00" <= c <= "\u9fff" for c in text.decode("gb18030"))
    except UnicodeDecodeError:
        return "cp1252"
    high = sum(byte > 0x7F for byte in text)
    return "gb18030" if chinese * 2 > 0.8 * high else "cp1252"  # it makes Chinese of nearly any bytes


def _lines(file: File, start: int, end: int) -> Iterator[Line]:
    begin, kept = start, bytearray()
    pos = start
    while pos < end:
        chunk = file.read(pos, min(CHUNK, end - pos))
        if not chunk:
            break
        at = 0
        while (hit := chunk.find(b"\n", at)) >= 0:
            kept += chunk[at : min(hit + 1, at + _MAX_RECORD + 1)]
            yield _line(begin, pos + hit + 1, bytes(kept))
            begin, at = pos + hit + 1, hit + 1
            kept.clear()
        if len(kept) <= _MAX_RECORD:
            kept += chunk[at : at + _MAX_RECORD + 1]
        pos += len(chunk)
    if begin < pos:
        yield _line(begin, pos, bytes(kept))


def _line(start: int, end: int, raw: bytes) -> Line:
    if end - start <= _MAX_RECORD:
        return Line(start, end, raw)
    problem = FieldError("record_too_large", f"a line of {end - start} bytes, over {_MAX_RECORD}")
    return Line(start, end, raw[:_MAX_RECORD], problem)


def _records(file: File, start: int, end: int, delimiter: str, encoding: str, width: int = 0) -> Iterator[Line]:
    """Yield the records of [start, end), empty lines included (`raw` is blank).

    A record of several lines has `width` cells, and not each of its lines has as many (commas are frequent in texts, so
    they say nothing). Otherwise its first line is a record of its own.
    """
    source, again = _lines(file, start, end), deque[Line]()
    while (first := again.popleft() if again else next(source, None)) is not None:
        lines, inside, literal = [first], False, False
        while first.problem is None:
            inside = left_open(lines[-1].raw.decode(encoding, "replace"), delimiter, inside)
            if not inside:
                break
            following = again.popleft() if again else next(source, None)
            if following is not None:
                lines.append(following)
            if following is None or following.problem or following.end - first.start > _MAX_RECORD:
                literal = True
                break
        if len(lines) > 1 and not literal and width:
            said = [line.raw.decode(encoding, "replace") for line in lines]
            rows = delimiter in "\t|" and all(text.count(delimiter) == width - 1 for text in said)
            literal = rows or len(_split(said, delimiter)) != width
        if literal:
            again.extendleft(reversed(lines[1:]))
            lines = [first]
        parts = tuple(line.raw for line in lines)
        yield Line(first.start, lines[-1].end, b"".join(parts), first.problem, parts, literal)


def _split(lines: Sequence[str], delimiter: str) -> list[str]:
    """Return the cells of a record's lines; none if they are not written as CSV."""
    try:
        return next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error:
        return []


def left_open(text: str, delimiter: str, inside: bool) -> bool:
    """Tell whether a line ends inside a field in quotation marks; `inside`: it also begins in one."""
    if '"' not in text:
        return inside
    at = 0
    while True:
        if not inside and text.startswith('"', at):
            inside, at = True, at + 1
        while inside:
            close = text.find('"', at)
            if close < 0:
                return True
            at = close + 1
            if text.startswith('"', at):  # a doubled one stands for itself
                at += 1
            else:
                inside = False
        at = text.find(delimiter, at) + 1
        if at == 0:
            return False


def cells(form: Layout, record: Line) -> list[str]:
    """Return the cells of a record.

    Raises:
        FieldError: it cannot be read.
    """
    if record.problem:
        raise record.problem
    if b"\0\0\0\0" in record.raw:
        raise FieldError("damaged_file", f"{record.raw.count(0)} zeros in it: a broken download; fetch the file again")
    try:
        lines = [part.decode(form.encoding) for part in record.parts]
    except UnicodeDecodeError as e:
        raise FieldError("not_utf8", f"not {form.encoding}: {e.reason} at byte {e.start}") from None
    row = [] if record.literal else _split(lines, form.delimiter)
    if len(lines) > 1 or (row and len(row) == len(form.columns)):
        return row
    plain = lines[0].rstrip("\r\n").split(form.delimiter)
    if not form.columns or len(plain) == len(form.columns):
        return row or plain
    if record.literal:
        raise FieldError("bad_field", "a quotation mark opens a field, and none closes it")
    if "\r" in lines[0].rstrip("\r\n"):
        raise FieldError("bad_field", "a line end of the form CR stands in it; save the table with LF or CRLF")
    return row or plain


def units(root: Root, path: str, form: Layout, rows_per_unit: int) -> Iterator[Unit]:
    """Yield units of `rows_per_unit` records of the table `path`; one record if it is empty."""
    with root.open(path) as file:
        if file.size == 0:
            yield file.unit(0, 0, 1, 0)
            return
        start = end = rows = index = 0
        for record in _records(file, form.begin, file.size, form.delimiter, form.encoding, len(form.columns)):
            if not record.raw.strip():
                end = record.end
                continue
            if rows == rows_per_unit:
                yield file.unit(start, record.start, rows, index)
                index, rows = index + rows, 0
            if rows == 0:
                start = record.start
            rows, end = rows + 1, record.end
        if rows:
            yield file.unit(start, end, rows, index)


def unit_records(root: Root, unit: Unit, form: Layout) -> Iterator[tuple[int, Line]]:
    """Yield for each record of `unit` its number in the file and its bytes."""
    account = root.account
    with root.open(unit.path, unit.version, unit.end) as file:
        if unit.end == 0:
            yield 0, Line(0, 0, b"", FieldError("empty_file", "the file holds 0 bytes; fetch it again"))
            return
        account.begin()
        ordinal = unit.index
        for record in _records(file, unit.start, unit.end, form.delimiter, form.encoding, len(form.columns)):
            if not record.raw.strip():
                account.tell("separator", size=record.end - record.start)
                continue
            if ordinal == unit.index + unit.rows:
                break
            account.read(record.end - record.start)
            yield ordinal, record
            ordinal += 1
        if ordinal != unit.index + unit.rows:
            raise SourceError(f"{unit.path}: has fewer records than when it was planned; restore it or plan again")
        account.end(unit.path, unit.end - unit.start)
