"""JSON records, one per line or as the elements of one array, found in bounded memory.

A scanner finds where each record lies without parsing it; then each is parsed alone, so a broken or huge record costs
only itself. An array with unbalanced brackets or quotes can only be read up to that place.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.corpora.io.base import BadRecord, QueryRecord
from ieat_data.corpora.io.files import (
    CHUNK,
    MAX_PAYLOAD,
    bad_record,
    corpus_files,
    exactly,
    in_order,
    is_storable,
    record_key,
)
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.roots import File, Root
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.errors import RowError

MAX_RECORD_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_HEAD_BYTES = 64 << 10
_STRUCTURE = re.compile(rb'[\[\]{},"]')
# possessive quantifiers keep no backtracking state: a megabyte of escapes costs no memory
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
# text with balanced brackets, two levels deep: most of a record in one step
_FLAT = rb'[^\[\]{}"]++|"(?:[^"\\]++|\\.)*+"'
_LEVEL = rb"%s|\[(?:%s)*+\]|\{(?:%s)*+\}" % (_FLAT, _FLAT, _FLAT)
_CLOSED = re.compile(rb"(?:%s|\[(?:%s)*+\]|\{(?:%s)*+\})*+" % (_FLAT, _LEVEL, _LEVEL), re.DOTALL)
_KINDS = {list: "an array", str: "a string", int: "a number", float: "a number"}
_MESSAGES = {
    "empty_file": "the file holds 0 bytes; fetch it again",
    "truncated": "the file ends inside this record; is the download complete?",
    "unclosed_array": "the array has no closing bracket; is the download complete?",
    "trailing_data": "something follows the closing bracket of the array; brackets or quotes before it may not match",
}


class FieldError(RowError):
    """A record that is valid JSON but not of the corpus's form; `reason` is the reject code."""


@dataclass(frozen=True)
class Span:
    """A record's bytes are [start, stop); [start, end) includes its separator. `problem` is a reason code."""

    start: int
    stop: int
    end: int
    problem: str = ""


def layout(file: File) -> tuple[str, int]:
    """Return (`lines` or `array`, offset where the first record may begin).

    Raises:
        SourceError: the file is in another encoding, or each of its records is over many lines.
    """
    head = file.read(0, _HEAD_BYTES)
    check_encoding(file, head)
    begin = len(_BOM) if head.startswith(_BOM) else 0
    first, _, rest = head[begin:].lstrip(_BLANK).partition(b"\n")
    if first.strip(_BLANK) == b"{" and rest.lstrip(_BLANK).startswith(b'"'):
        raise SourceError(
            f"{file.path}: is pretty-printed, with each record over many lines; one line a record is wanted, as "
            "jq -c . FILE > NEW writes it"
        )
    pos, array = begin, -1
    while pos < file.size:
        chunk = file.read(pos, 4096)
        for byte in chunk:
            pos += 1
            if byte in _BLANK:
                continue
            if array < 0 and byte == ord("["):
                array = pos
                continue
            # an array of objects or an empty one; any other line that begins with a bracket is a broken line
            one = array >= 0 and byte in b"{]" and not (rest.lstrip(_BLANK).startswith(b"[") and _is_array(first))
            return ("array", array) if one else ("lines", begin)
    return ("array", array) if array >= 0 else ("lines", begin)


def check_encoding(file: File, head: bytes) -> None:
    """Raise the SourceError of a file that is in UTF-16 or UTF-32, or begins with zeros."""
    wide = head[:4]
    if wide[:2] in (b"\xff\xfe", b"\xfe\xff") or (len(wide) == 4 and wide.count(0) in (2, 3) and wide != bytes(4)):
        raise SourceError(f"{file.path}: is UTF-16 or UTF-32; make it UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW")
    if len(head) >= 64 and not head[:64].strip(b"\0"):
        raise SourceError(f"{file.path}: begins with zeros, so its download was broken off; fetch it again")


def _is_array(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), list)
    except (ValueError, RecursionError):
        return False


def line_spans(file: File, start: int, end: int) -> Iterator[Span]:
    """Yield one span per line of [start, end); `start` must be the beginning of a line."""
    begin = pos = start
    while pos < end:
        chunk = file.read(pos, min(CHUNK, end - pos))
        hit = chunk.find(b"\n")
        while hit >= 0:
            yield Span(begin, pos + hit, pos + hit + 1)
            begin = pos + hit + 1
            hit = chunk.find(b"\n", hit + 1)
        pos += len(chunk)
    if begin < end:
        yield Span(begin, end, end)


def array_spans(file: File, start: int, end: int) -> Iterator[Span]:
    """Yield one span per element of the array in [start, end): the bytes after `[`, or after a comma between elements.

    A range that reaches the end of the file also checks how the array ends: a truncated or unclosed array, or one with
    data after it, gives one more span, with a problem.
    """
    begin = pos = start
    depth, in_string, escaped, blank, closed = 0, False, False, True, False
    while pos < end and not closed:
        chunk = file.read(pos, min(CHUNK, end - pos))
        i = 0
        while i < len(chunk):
            if escaped:  # the previous chunk ended in a backslash
                escaped, i = False, i + 1
                continue
            if in_string:
                match = _IN_STRING.match(chunk, i)
                i = match.end() + 1 if match else len(chunk)
                if i <= len(chunk):
                    escaped = in_string = chunk[i - 1] == ord("\\")
                continue
            if depth and (match := _CLOSED.match(chunk, i)):
                i = match.end()
            hit = _STRUCTURE.search(chunk, i)
            stop = hit.start() if hit else len(chunk)
            if blank and chunk[i:stop].strip(_BLANK):
                blank = False
            i = stop + 1
            if hit is None:
                continue
            byte = hit[0]
            if byte == b'"':
                in_string, blank = True, False
            elif byte in b"[{":
                depth, blank = depth + 1, False
            elif byte in b"]}" and depth:
                depth -= 1
            elif byte in b"]}":
                closed = True
                if not blank:
                    yield Span(begin, pos + stop, pos + i)
                begin = pos + stop  # at the bracket, so that a unit that begins here sees the array's end
                break
            elif byte == b"," and not depth:
                yield Span(begin, pos + stop, pos + i)
                begin, blank = pos + i, True
        pos += len(chunk)
    if end < file.size:
        return
    if not closed:
        yield Span(begin, end, end, "unclosed_array" if blank else "truncated")
    elif _has_text(file, begin + 1, end):
        yield Span(begin, end, end, "trailing_data")


def _has_text(file: File, start: int, end: int) -> bool:
    while start < end:
        chunk = file.read(start, min(CHUNK, end - start))
        if chunk.strip(_BLANK):
            return True
        start += len(chunk)
    return False


def spans(file: File, start: int | None = None, end: int | None = None) -> Iterator[Span]:
    """Yield the file's records, or those in [start, end), which begins and ends at the bounds of spans."""
    form, first = layout(file)
    scan = array_spans if form == "array" else line_spans
    return scan(file, first if start is None else start, file.size if end is None else end)


def load(file: File, span: Span, limit: int = MAX_RECORD_BYTES) -> tuple[Any, bytes]:
    """Return the parsed record and its bytes.

    Raises:
        FieldError: the record cannot be read; `reason` is the reject code.
    """
    if span.problem:
        lost = f" ({span.stop - span.start} bytes are lost)" if span.stop > span.start else ""
        raise FieldError(span.problem, _MESSAGES[span.problem] + lost)
    size = span.stop - span.start
    if size > limit:
        raise FieldError("record_too_large", f"{size} bytes, over {limit}")
    raw = file.read(span.start, size).strip(_BLANK)
    return parse(raw), raw


def parse(raw: bytes) -> Any:
    """Return the record whose bytes are `raw`.

    Raises:
        FieldError: it cannot be parsed; `reason` is the reject code.
    """
    raw = raw.removeprefix(_BOM)  # of a file that was appended
    if not raw:
        raise FieldError("empty_record", "an empty line or array element")
    if b"\0\0\0\0" in raw:
        raise FieldError("damaged_file", f"{raw.count(0)} zeros in it: a broken download; fetch the file again")
    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as e:
        raise FieldError("not_utf8", f"not UTF-8: {e.reason} at byte {e.start}") from None
    except (ValueError, RecursionError) as e:
        raise FieldError("bad_json", f"not JSON: {e}") from None


def lost_text(root: Root, file: File, span: Span, why: FieldError) -> bytes:
    """Return the beginning of a record that cannot be parsed; note a hole in the file."""
    if why.reason == "damaged_file":
        root.account.lose(file.path, span.start, span.stop - span.start)
    return file.read(span.start, min(span.stop - span.start, MAX_PAYLOAD))


def units(root: Root, path: str, rows_per_unit: int) -> Iterator[Unit]:
    """Yield units of `rows_per_unit` records of the file `path` of the corpus at `root`; one record if it is empty."""
    with root.open(path) as file:
        # the last unit also covers the end of the file, so its reader can check how the array ends
        yield from grouped(file, ((span.start, span.end) for span in spans(file)), rows_per_unit, file.size)


def grouped(
    file: File, records: Iterable[tuple[int, int]], rows_per_unit: int, last: int | None = None
) -> Iterator[Unit]:
    """Yield units of `rows_per_unit` records; one record if the file is empty.

    Args:
        file: where the records lie.
        records: start and end of each, in order.
        rows_per_unit: records of a unit.
        last: where the last unit ends; None: with its last record.
    """
    if file.size == 0:
        yield file.unit(0, 0, 1, 0)
        return
    first = stop = rows = index = 0
    for start, end in records:
        if rows == rows_per_unit:
            yield file.unit(first, stop, rows, index)
            index, rows = index + rows, 0
        if rows == 0:
            first = start
        rows, stop = rows + 1, end
    if rows:
        yield file.unit(first, stop if last is None else last, rows, index)


def unit_spans(root: Root, unit: Unit) -> Iterator[tuple[File, int, Span]]:
    """Yield for each record of `unit` the open file, the record's number in it and its span."""
    with root.open(unit.path, unit.version, unit.end) as file:
        empty = [Span(0, 0, 0, "empty_file")] if file.size == 0 else None
        found = empty or spans(file, unit.start, unit.end)
        account, covered = root.account, unit.start
        account.begin()
        for ordinal, span in enumerate(exactly(unit, found), unit.index):
            account.tell("separator", size=span.start - covered)
            account.read(span.end - span.start)
            covered = span.end
            yield file, ordinal, span
        if not file.read(covered, unit.end - covered).strip(_BLANK + b"]"):
            account.tell("separator", size=unit.end - covered)  # the end of an array
        account.end(unit.path, unit.end - unit.start)


def is_corpus_file(name: str) -> bool:
    """Return False for the JSON files that dataset hubs put beside a corpus."""
    return name not in ("dataset_info.json", "dataset_infos.json", "state.json")


class JsonReader(ABC):
    """Base of the text readers: a subclass says in `extract` where a record has its first user turn."""

    kind: ClassVar[str] = "text"

    def __init__(self, root: Root | Path | str, language: str) -> None:
        self.root = root_at(root)
        self.language = language

    @staticmethod
    @abstractmethod
    def extract(record: dict[str, Any]) -> Any:
        """Return the user's first turn as it is in the record.

        Raises:
            FieldError: the record has another form.
        """

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` records. Scan every byte once; parse no record."""
        paths = corpus_files(self.root, (".json", ".jsonl"), is_corpus_file)
        yield from in_order(self.root, paths, lambda path: units(self.root, path, rows_per_unit))

    def read(self, unit: Unit) -> Iterator[QueryRecord | BadRecord]:
        """Yield the queries of `unit`, one record in memory at a time."""
        for file, ordinal, span in unit_spans(self.root, unit):
            yield self._record(file, ordinal, span)

    def _record(self, file: File, ordinal: int, span: Span) -> QueryRecord | BadRecord:
        raw, name = b"", ""
        try:
            record, raw = load(file, span)
            if not isinstance(record, dict):
                raise FieldError("bad_field", f"the record is {_KINDS.get(type(record), 'no object')}, no object {{…}}")
            given = record.get("id")
            name = str(given) if isinstance(given, (str, int)) and len(str(given)) <= 4096 else ""
            name = name if is_storable(name) else ""
            return query(file.path, ordinal, name, self.extract(record))
        except FieldError as e:
            payload = raw or lost_text(self.root, file, span, e)
            return bad_record(file.path, ordinal, name, e.reason, f"record {ordinal}: {e}", payload)


def query(path: str, ordinal: int, name: str, text: Any) -> QueryRecord:
    """Return the record whose first user turn is `text`.

    Raises:
        FieldError: `text` is no usable text.
    """
    if not isinstance(text, str):
        raise FieldError("bad_field", "the user's first turn is not a string")
    if not text.strip():
        raise FieldError("empty_text", "the user's first turn is empty")
    if not is_storable(text):
        raise FieldError("not_utf8", "the user's first turn holds half a character (a lone surrogate)")
    return QueryRecord(record_key(path, ordinal, name), _plain(text).strip())


# Line ends that were escaped twice, where no code or path goes on behind them; and separators that other programs
# take for the end of a line, but a person does not say.
_ESCAPED = re.compile(r"(?:\\[nr])+(?=[^\x00-\x7f]|\s|$)")
_SEPARATORS = re.compile("[\v\f\x85\u2028\u2029]")


def _plain(text: str) -> str:
    return _SEPARATORS.sub(" ", _ESCAPED.sub("\n", text)) if "\\" in text or _SEPARATORS.search(text) else text
