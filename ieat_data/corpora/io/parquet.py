"""Parquet files of a corpus: cut by rows, and read a few rows at a time, of the columns that are wanted alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.corpora.io.files import exactly
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.roots import File, Root
from ieat_data.corpora.io.units import SourceError, Unit

MAX_GROUP_BYTES = 1 << 30  # a row group's, unpacked; Hugging Face writes some 100 MB
_BATCH = 16  # rows in memory at once


def of_split(root: Root, paths: Sequence[str], split: str) -> list[str]:
    """Those of `paths` that are called by the split, or lie in a folder called so: `xs/train-00000-of-00001.parquet`,
    `train/0000.parquet`, `partial-train/…`. All, where the root is one file. Raises SourceError when there are none."""
    called = re.compile(rf"(?:^|/)(?:partial-)?{re.escape(split)}(?:[-/.])")
    found = list(paths) if root.only else [p for p in paths if called.search(p)]
    if not found:
        raise SourceError(f"{root}: holds no Parquet file of the split {split!r}; set the option split")
    return found


def units(root: Root, path: str, rows_per_unit: int, needed: Sequence[str], corpus: str) -> Iterator[Unit]:
    """Units of `rows_per_unit` rows; one of one row for a file that is not Parquet. Reads the footer, none of the data.

    Raises SourceError when the file lacks one of the columns `needed`: it is not of `corpus`.
    """
    with root.open(path) as file:
        try:
            parquet = _parquet(file)
        except FieldError:
            yield file.unit(0, 0, 1, 0)
            return
        names, groups = parquet.schema_arrow.names, range(parquet.num_row_groups)
        rows = sum(parquet.metadata.row_group(g).num_rows for g in groups)
        if lacking := [n for n in needed if n not in names]:
            raise SourceError(f"{path}: has no column {lacking[0]!r}; is it of {corpus}?")
        for start in range(0, rows, rows_per_unit):
            end = min(start + rows_per_unit, rows)
            yield file.unit(start, end, end - start, start)


def read_rows(root: Root, unit: Unit, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any] | FieldError]]:
    """(row number, the row's `columns` as far as the file has them, or why it cannot be read) of each row of `unit`.

    Sixteen are in memory at a time, and the pages of the file that they are in.
    """
    with root.open(unit.path, unit.version) as file:
        try:
            parquet = _parquet(file)
        except FieldError as e:
            if unit.end:
                raise SourceError(f"{unit.path}: {e}; was it changed since the plan?") from None
            yield 0, e
            return
        if unit.end == 0:
            raise SourceError(f"{unit.path}: was not Parquet when it was planned; plan the source again")
        yield from exactly(unit, enumerate(_rows(parquet, unit.start, unit.end, columns), unit.start))


def _parquet(file: File) -> pq.ParquetFile:
    try:
        # page by page: a column of a row group would else be in memory as a whole
        return pq.ParquetFile(file.stream(), buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError) as e:
        raise FieldError("bad_parquet", f"is not Parquet, or broken: {_line(e)}") from None


def _rows(
    parquet: pq.ParquetFile, start: int, end: int, columns: Sequence[str]
) -> Iterator[dict[str, Any] | FieldError]:
    """Rows [start, end); from where a row group cannot be read on, each of its rows is the error instead."""
    wanted = [n for n in columns if n in parquet.schema_arrow.names]
    begin = 0
    for group in range(parquet.num_row_groups):
        size = parquet.metadata.row_group(group).num_rows
        at, stop = max(begin, start), min(begin + size, end)
        error = None
        if at < stop and (unpacked := _unpacked(parquet.metadata.row_group(group), wanted)) > MAX_GROUP_BYTES:
            error = FieldError("row_group_too_large", f"its row group unpacks to {unpacked} bytes")
        elif at < stop:
            try:
                first = begin
                for batch in parquet.iter_batches(_BATCH, [group], wanted):
                    while at < min(first + len(batch), stop):
                        yield _row(batch, at - first)
                        at += 1
                    first += len(batch)
                    if at == stop:
                        break
            except (pa.ArrowException, OSError) as e:
                error = FieldError("bad_parquet", f"its row group cannot be read: {_line(e)}")
        for _ in range(at, stop):
            yield error or FieldError("bad_parquet", "its row group ends before it")
        begin += size


def _unpacked(group: Any, wanted: Sequence[str]) -> int:
    """Bytes of the wanted columns of a row group; a column inside another is called `messages.list.element.role`."""
    columns = (group.column(i) for i in range(group.num_columns))
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema.split(".")[0] in wanted)


def _row(batch: pa.RecordBatch, i: int) -> dict[str, Any] | FieldError:
    try:
        row: dict[str, Any] = batch.slice(i, 1).to_pylist()[0]
    except UnicodeDecodeError as e:
        return FieldError("not_utf8", f"a text of it is not UTF-8: {e.reason}")
    except (ValueError, OverflowError) as e:  # e.g. a time that Python's have no room for
        return FieldError("bad_field", f"it cannot be read: {_line(e)}")
    return row


def _line(e: Exception) -> str:
    return " ".join(str(e).split())[:200]
