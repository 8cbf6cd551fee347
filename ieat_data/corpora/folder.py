"""A user's own clips: beside a table with columns of any names, or alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.files import bad_record, corpus_files, in_order, is_storable, record_key
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.names import AUDIO_SUFFIXES
from ieat_data.corpora.io.open import one_account, root_at, root_beside
from ieat_data.corpora.io.roots import FileGone, Root
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.corpora.tables import columns as names
from ieat_data.corpora.tables.clips import ClipFiles
from ieat_data.corpora.tables.table import Row, Table, open_table

MAX_TEXT_BYTES = 64 << 10  # of a text beside a clip
_CLIPS = "clips"  # stands in a unit for the folder's clips, in the order of their names


class FolderReader:
    """Clips (WAV, FLAC, MP3, Ogg) below the root, which a table names; without one, every clip there is.

    A clip without a table has the text of the file beside it that is called as it is (`a.wav`, `a.txt`).

    Args:
        table: a CSV, TSV, JSON lines or Parquet file: below the root, or elsewhere (`../meta.csv`). "": none.
        columns: what is called how in the table: `audio` (a path, or the clip itself), `text`, `speaker`, `language`,
            `id`. A column that bears such a name need not be named; only `audio` must be there.
        prefix: what the table's paths begin with in place of the root.
        suffix: what the table's paths leave out at their end, such as `.wav`.
        delimiter: between the cells of CSV; "": the likeliest one of the first line.
        encoding: of CSV and of texts beside clips; "": UTF-8.
        header: whether the first line of CSV names the columns; otherwise they are called 1, 2, 3, …
    """

    kind: ClassVar[str] = "speech"

    def __init__(
        self,
        root: Root | Path | str,
        language: str,
        table: str = "",
        columns: Mapping[str, str] = {},
        prefix: str = "",
        suffix: str = "",
        delimiter: str = "",
        encoding: str = "",
        header: bool = True,
    ) -> None:
        for option, value in (("table", table), ("prefix", prefix), ("suffix", suffix), ("delimiter", delimiter)):
            if not isinstance(value, str):
                raise SourceError(f"option {option}: {value!r} is not a string")
        self.root = root_at(root)
        self.language = language
        self.also_read: frozenset[str] = frozenset()  # texts beside clips
        self._columns = names.checked(columns, names.SPEECH)
        self._clips = ClipFiles(self.root, prefix, suffix)
        self._form: dict[str, Any] = {"delimiter": delimiter, "encoding": encoding or "", "header": bool(header)}
        self._encoding = encoding or "utf-8"
        self._table_root, self._path = table_at(self.root, table)
        self.outside = () if self._table_root is self.root else (self._table_root,)

    @cached_property
    def table(self) -> Table | None:
        """The table, opened and checked; None if there is none.

        Raises:
            SourceError: it cannot be read, or lacks a column.
        """
        if not self._path:
            return None
        found = open_table(self._table_root, self._path, **self._form)
        check_columns(found, self._columns, "audio")
        return found

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` rows or clips. Read the table once; no clip."""
        if self.table is not None:
            yield from in_order(self.root, [self._path], lambda _: self.table.units(rows_per_unit))  # type: ignore[union-attr]
            return
        for first in range(0, len(self._all), rows_per_unit):
            last = min(first + rows_per_unit, len(self._all))
            yield Unit(_CLIPS, 0, 0, last - first, first)
        self.also_read = frozenset(filter(self.root.entry, map(_text_beside, self._all)))

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """Yield the clips of `unit`, one in memory at a time."""
        if self.table is None:
            clips = self._all[unit.index : unit.index + unit.rows]
            if len(clips) < unit.rows:
                raise SourceError(f"{self.root}: holds fewer clips than when it was planned; plan the source again")
            yield from map(self._clip, clips)
            return
        columns = column_names(self.table, self._columns, names.SPEECH)
        for row in self.table.rows(unit, list(columns.values())):
            yield speech(self._path, row, columns, self._clips, self.language)

    @cached_property
    def _all(self) -> Sequence[str]:
        found = corpus_files(self.root, AUDIO_SUFFIXES)
        if odd := next((path for path in found if not is_storable(path)), None):
            raise SourceError(f"{self.root}: the name of {odd.encode('utf-8', 'replace')!r} is not UTF-8; rename it")
        return found

    def _clip(self, path: str) -> SpeechRecord | BadRecord:
        name = PurePosixPath(path).stem
        try:
            data = self._clips.read(path)
            text = self._text(path)
        except FieldError as e:
            return bad_record(path, 0, name, e.reason, str(e))
        self.root.account.read(len(data))
        return SpeechRecord(record_key(path, 0, name), data, text, "", self.language, {"id": name})

    def _text(self, clip: str) -> str:
        path = _text_beside(clip)
        try:
            with self.root.open(path) as file:
                return file.read(0, MAX_TEXT_BYTES).decode(self._encoding).strip().removeprefix("\ufeff")
        except FileGone:
            return ""
        except UnicodeDecodeError as e:
            message = f"{path}: not {self._encoding}: {e.reason} at byte {e.start}; set the option encoding"
            raise FieldError("not_utf8", message) from None


def _text_beside(clip: str) -> str:
    return PurePosixPath(clip).with_suffix(".txt").as_posix()


def table_at(root: Root, table: str) -> tuple[Root, str]:
    """Return the root of a table and its path there: below `root`, or a file elsewhere."""
    if not table:
        return root, root.only or ""
    if table.startswith(("/", "~", "..")) or "://" in table:
        elsewhere = one_account(root, root_beside(root, table))
        if not elsewhere.only:
            raise SourceError(f"option table: {elsewhere}: no such file")
        return elsewhere, elsewhere.only
    return root, PurePosixPath(table).as_posix()


def check_columns(table: Table, given: Mapping[str, str], needed: str) -> None:
    """Check that a table has the columns that are `given`, and the one that holds what is `needed`.

    Raises:
        SourceError: it lacks one.
    """
    table.check([given.get(needed, needed), *(given.values() if table.exact else ())])


def column_names(table: Table, given: Mapping[str, str], kinds: Sequence[str]) -> dict[str, str]:
    """Return which column holds what: as `given`, else the one of that name, if there is one."""
    known = set(table.columns()) if table.exact else set(kinds)
    return {kind: kind for kind in kinds if kind in known} | dict(given)


def speech(
    path: str, row: Row, columns: Mapping[str, str], clips: ClipFiles, language: str
) -> SpeechRecord | BadRecord:
    """Return the record of a row of a table at `path`."""
    name = ""
    try:
        if isinstance(row.cells, FieldError):
            raise row.cells
        if columns["audio"] not in row.cells:
            raise FieldError("bad_field", f"there is no `{columns['audio']}`")
        value = row.cells[columns["audio"]]
        name = names.text_of(row.cells, columns.get("id"))
        shown = value.get("path") if isinstance(value, Mapping) else value
        if not name and isinstance(shown, str) and is_storable(shown):
            name = PurePosixPath(shown.replace("\\", "/")).stem
        data, _ = clips.of_cell(value, columns["audio"])
        text, speaker, own = (names.text_of(row.cells, columns.get(kind)) for kind in ("text", "speaker", "language"))
    except FieldError as e:
        return bad_record(path, row.ordinal, name, e.reason, f"{name or f'row {row.ordinal}'}: {e}", row.raw)
    extra = {"id": name} if name else {}
    key = record_key(path, row.ordinal, name)
    return SpeechRecord(key, data, text, names.speaker_of(speaker), names.language_of(own) or language, extra)
