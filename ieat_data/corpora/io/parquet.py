"""Parquet files of a corpus: cut by rows, read a few rows at a time and only the wanted columns."""

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

MAX_GROUP_BYTES = 1 << 30  # of a decompressed row group; Hugging Face writes about 100 MB
_BATCH = 16  # rows in memory at once


def of_split(root: Root, paths: Sequence[str], split: str) -> list[str]:
    """Return those of `paths` that are named after the split or lie in a folder named after it.

    For example `xs/train-00000-of-00001.parquet`, `train/0000.parquet`, `partial-train/…`. If the root is a single
    file, return it.

    Raises:
        SourceError: there are none.
    """
    called = re.compile(rf"(?:^|/)(?:partial-)?{re.escape(split)}(?:[-/.])")
    found = list(paths) if root.only else [p for p in paths if called.search(p)]
    if not found:
        raise SourceError(f"{root}: holds no Parquet file of the split {split!r}; set the option split")
    return found


def units(root: Root, path: str, rows_per_unit: int, needed: Sequence[str], corpus: str) -> Iterator[Unit]:
    """Yield units of `rows_per_unit` rows; one unit of one row for a file that is not Parquet. Read only the footer.

    Raises:
        SourceError: the file lacks one of the columns `needed`, so it does not belong to `corpus`.
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
            raise SourceError(f"{path}: has no column {lacking[0]!r}; does it belong to {corpus}?")
        for start in range(0, rows, rows_per_unit):
            end = min(start + rows_per_unit, rows)
            yield file.unit(start, end, end - start, start)


def read_rows(root: Root, unit: Unit, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any] | FieldError]]:
    """Yield for each row of `unit` its number and its `columns` as far as the file has them, or why it is unreadable.

    Sixteen rows are in memory at a time, and the pages of the file that hold them.
    """
    with root.open(unit.path, unit.version) as file:
        try:
            parquet = _parquet(file)
        except FieldError as e:
            if unit.end:
                raise SourceError(f"{unit.path}: {e}; did it change since the plan?") from None
            yield 0, e
            return
        if unit.end == 0:
            raise SourceError(f"{unit.path}: was not Parquet when it was planned; plan the source again")
        yield from exactly(unit, enumerate(_rows(parquet, unit.start, unit.end, columns), unit.start))


def _parquet(file: File) -> pq.ParquetFile:
    try:
        # page by page: otherwise a whole column of a row group would be in memory
        parquet = pq.ParquetFile(file.stream(), buffer_size=1 << 20, pre_buffer=False)
        _ = parquet.schema_arrow.names  # names that are no UTF-8
    except (pa.ArrowException, OSError, UnicodeDecodeError) as e:
        raise FieldError("bad_parquet", f"not Parquet, or broken: {_line(e)}") from None
    return parquet


def _rows(
    parquet: pq.ParquetFile, start: int, end: int, columns: Sequence[str]
) -> Iterator[dict[str, Any] | FieldError]:
    """Yield rows [start, end); from where a row group becomes unreadable, yield the error for each of its rows."""
    wanted = [n for n in columns if n in parquet.schema_arrow.names]
    begin = 0
    for group in range(parquet.num_row_groups):
        size = parquet.metadata.row_group(group).num_rows
        at, stop = max(begin, start), min(begin + size, end)
        error = None
        if at < stop:
            try:
                if (unpacked := _unpacked(parquet.metadata.row_group(group), wanted)) > MAX_GROUP_BYTES:
                    raise FieldError("row_group_too_large", f"its row group decompresses to {unpacked} bytes")
                first = begin
                for batch in parquet.iter_batches(_BATCH, [group], wanted):
                    while at < min(first + len(batch), stop):
                        yield _row(batch, at - first)
                        at += 1
                    first += len(batch)
                    if at == stop:
                        break
            except FieldError as e:
                error = e
            except (pa.ArrowException, OSError, UnicodeDecodeError) as e:
                error = FieldError("bad_parquet", f"its row group cannot be read: {_line(e)}")
        for _ in range(at, stop):
            yield error or FieldError("bad_parquet", "its row group ends before it")
        begin += size


def _unpacked(group: Any, wanted: Sequence[str]) -> int:
    """Return the bytes of the wanted columns of a row group; a nested column's name is `messages.list.element.role`."""
    columns = (group.column(i) for i in range(group.num_columns))
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema.split(".")[0] in wanted)


def _row(batch: pa.RecordBatch, i: int) -> dict[str, Any] | FieldError:
    try:
        row: dict[str, Any] = batch.slice(i, 1).to_pylist()[0]
    except UnicodeDecodeError as e:
        return FieldError("not_utf8", f"one of its texts is not UTF-8: {e.reason}")
    except (ValueError, OverflowError) as e:  # e.g. a time outside the range of Python's types
        return FieldError("bad_field", f"it cannot be read: {_line(e)}")
    return row


def _line(e: Exception) -> str:
    return " ".join(str(e).split())[:200]
