"""A user's own queries: a text column of tables, or files of lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.corpora.folder import check_columns, column_names
from ieat_data.corpora.io.base import BadRecord, QueryRecord
from ieat_data.corpora.io.files import bad_record, corpus_files, in_order
from ieat_data.corpora.io.json_records import FieldError, is_corpus_file, query
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import Unit
from ieat_data.corpora.tables import columns as names
from ieat_data.corpora.tables.table import SUFFIXES, Row, Table, open_table


class TextsReader:
    """What users say first, in a column of the tables below the root, or of the root itself if that is a file.

    Args:
        columns: what is called how: `text`, `id`. A column that bears such a name need not be named.
        delimiter: between the cells of CSV; "": the likeliest one of the first line.
        encoding: of CSV; "": UTF-8.
        header: whether the first line of CSV names the columns; otherwise they are called 1, 2, 3, …
    """

    kind: ClassVar[str] = "text"

    def __init__(
        self,
        root: Root | Path | str,
        language: str,
        columns: Mapping[str, str] = {},
        delimiter: str = "",
        encoding: str = "",
        header: bool = True,
    ) -> None:
        self.root = root_at(root)
        self.language = language
        self._columns = names.checked(columns, names.TEXT)
        self._form: dict[str, Any] = {"delimiter": delimiter, "encoding": encoding or "", "header": bool(header)}

    def _table(self, path: str) -> Table:
        found = open_table(self.root, path, **self._form)
        check_columns(found, self._columns, "text")
        return found

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` rows. Read the tables once."""
        paths = corpus_files(self.root, SUFFIXES, is_corpus_file)
        yield from in_order(self.root, paths, lambda path: self._table(path).units(rows_per_unit))

    def read(self, unit: Unit) -> Iterator[QueryRecord | BadRecord]:
        """Yield the queries of `unit`, one in memory at a time."""
        table = self._table(unit.path)
        columns = column_names(table, self._columns, names.TEXT)
        for row in table.rows(unit, list(columns.values())):
            yield _query(unit.path, row, columns)


def _query(path: str, row: Row, columns: Mapping[str, str]) -> QueryRecord | BadRecord:
    name = ""
    try:
        if isinstance(row.cells, FieldError):
            raise row.cells
        name = names.text_of(row.cells, columns.get("id"))
        return query(path, row.ordinal, name, row.cells.get(columns["text"]))
    except FieldError as e:
        return bad_record(path, row.ordinal, name, e.reason, f"{name or f'row {row.ordinal}'}: {e}", row.raw)
