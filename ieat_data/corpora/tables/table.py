"""One table, whatever its format: cut into units, read row by row. The suffix of its name says which format it is."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.corpora.io import json_records, parquet
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.corpora.tables import separated
from ieat_data.errors import did_you_mean

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
_SHOWN = 20  # columns that an error names
_LOOKED_AT = 20  # JSON records whose keys are a table's columns


class Row(NamedTuple):
    """A row: its number in the file, its cells by column or why there are none, and its bytes for the quarantine."""

    ordinal: int
    cells: dict[str, Any] | FieldError
    raw: bytes = b""


class Table(ABC):
    """A table at `path` below `root`. `exact`: every row has the same columns."""

    exact = True

    def __init__(self, root: Root, path: str) -> None:
        self.root, self.path = root, path

    @abstractmethod
    def columns(self) -> list[str]:
        """Return the names of the columns; of JSON lines, the keys of the first records."""

    @abstractmethod
    def units(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of so many rows."""

    @abstractmethod
    def rows(self, unit: Unit, wanted: Sequence[str]) -> Iterator[Row]:
        """Yield the rows of a unit, with at least the columns `wanted` as far as the table has them."""

    def check(self, needed: Sequence[str]) -> None:
        """Check that the table has these columns.

        Raises:
            SourceError: it lacks one.
        """
        known = self.columns()
        for name in needed if known or self.exact else ():
            if name not in known:
                hint = did_you_mean(name, known[:_SHOWN]) if known else "; it names none in its first line"
                raise SourceError(f"{self.path}: has no column {name!r}{hint}; name it under options.columns")
            if known.count(name) > 1:
                raise SourceError(f"{self.path}: has {known.count(name)} columns {name!r}; rename one")


class Separated(Table):
    """CSV, TSV, or lines with another separator."""

    def __init__(self, root: Root, path: str, delimiter: str = "", encoding: str = "", header: bool = True) -> None:
        super().__init__(root, path)
        with root.open(path) as file:
            self.form = separated.layout(file, delimiter, encoding, header)

    def columns(self) -> list[str]:
        return list(self.form.columns)

    def units(self, rows_per_unit: int) -> Iterator[Unit]:
        return separated.units(self.root, self.path, self.form, rows_per_unit)

    def rows(self, unit: Unit, wanted: Sequence[str]) -> Iterator[Row]:
        for ordinal, record in separated.unit_records(self.root, unit, self.form):
            try:
                yield Row(ordinal, self._cells(record), record.raw)
            except FieldError as e:
                if e.reason == "damaged_file":
                    self.root.account.lose(self.path, record.start, record.end - record.start)
                yield Row(ordinal, e, record.raw)

    def _cells(self, record: separated.Line) -> dict[str, Any]:
        row = separated.cells(self.form, record)
        names = self.form.columns
        if len(row) != len(names):
            quote = "; a text that holds the separator stands in quotation marks" if len(row) > len(names) else ""
            raise FieldError("bad_field", f"{len(row)} cells, where the first line has {len(names)}{quote}")
        return dict(zip(names, row, strict=True))


class Json(Table):
    """JSON lines, or one array. A record may lack a key, or have one that the first records lack."""

    exact = False

    def columns(self) -> list[str]:
        found: dict[str, None] = {}
        with self.root.open(self.path) as file:
            if file.size:
                for span in itertools.islice(json_records.spans(file), _LOOKED_AT):
                    try:
                        record, _ = json_records.load(file, span)
                    except FieldError:
                        continue
                    found |= dict.fromkeys(record if isinstance(record, dict) else ())
        return list(found)

    def units(self, rows_per_unit: int) -> Iterator[Unit]:
        return json_records.units(self.root, self.path, rows_per_unit)

    def rows(self, unit: Unit, wanted: Sequence[str]) -> Iterator[Row]:
        for file, ordinal, span in json_records.unit_spans(self.root, unit):
            raw = b""
            try:
                record, raw = json_records.load(file, span)
                if not isinstance(record, dict):
                    raise FieldError("bad_field", "the record is no object {…}")
                yield Row(ordinal, record, raw)
            except FieldError as e:
                yield Row(ordinal, e, raw or json_records.lost_text(self.root, file, span, e))


class Parquet(Table):
    """Parquet. Only the wanted columns are read, a few rows at a time."""

    def columns(self) -> list[str]:
        return list(self.schema().names)

    def schema(self) -> Any:
        """Return the Arrow schema; an empty one if the file is no Parquet, which its only row tells."""
        with self.root.open(self.path) as file:
            try:
                return pq.ParquetFile(file.stream(), pre_buffer=False).schema_arrow
            except (pa.ArrowException, OSError):
                return pa.schema([])

    def check(self, needed: Sequence[str]) -> None:
        if self.schema().names:
            super().check(needed)

    def units(self, rows_per_unit: int) -> Iterator[Unit]:
        return parquet.units(self.root, self.path, rows_per_unit, (), "")

    def rows(self, unit: Unit, wanted: Sequence[str]) -> Iterator[Row]:
        for ordinal, row in parquet.read_rows(self.root, unit, wanted):
            yield Row(ordinal, row)


def is_table(path: str) -> bool:
    """Tell by its name whether a file is a table."""
    return path.lower().endswith(SUFFIXES)


def open_table(root: Root, path: str, delimiter: str = "", encoding: str = "", header: bool = True) -> Table:
    """Return the table at `path`. A name with an unknown suffix is read as CSV.

    Raises:
        SourceError: the file is not there, is packed, or is in another encoding.
    """
    lower = path.lower()
    if lower.endswith((".gz", ".zip", ".xz", ".bz2", ".zst", ".xlsx", ".xls", ".ods")):
        what = "save it as CSV (UTF-8)" if lower.endswith((".xlsx", ".xls", ".ods")) else "unpack it"
        raise SourceError(f"{path}: is not read as it is: {what}")
    if root.entry(path) is None:
        raise SourceError(f"{root}: holds no {path}; set the option table")
    if lower.endswith(".parquet"):
        return Parquet(root, path)
    if lower.endswith((".jsonl", ".ndjson", ".json")):
        return Json(root, path)
    return Separated(root, path, delimiter, encoding, header)
