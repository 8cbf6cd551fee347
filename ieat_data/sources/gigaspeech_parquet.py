"""GigaSpeech as Parquet, as Hugging Face has it: a row is a segment with its own clip (16 kHz WAV)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.sources.base import BadRecord, SourceError, SpeechRecord, Unit
from ieat_data.sources.files import bad_record, corpus_files, exactly, in_order, is_storable, record_key
from ieat_data.sources.gigaspeech import speaker, written_text
from ieat_data.sources.json_records import FieldError
from ieat_data.sources.roots import File, Root, root_at
from ieat_data.sources.segments import seconds

COLUMNS = ("segment_id", "speaker", "text", "audio", "begin_time", "end_time", "audio_id")
NEEDED = ("segment_id", "text", "audio")
MAX_AUDIO_BYTES = 64 << 20
MAX_GROUP_BYTES = 1 << 30  # a row group's, unpacked; Hugging Face writes some 100 MB
_BATCH = 16  # rows in memory at once


class GigaSpeechParquetReader:
    """`**/*.parquet` below the root. `split`: files of that name, or in a folder of it; DEV and TEST stay out so."""

    kind: ClassVar[str] = "speech"

    def __init__(self, root: Root | Path | str, language: str, split: str = "train") -> None:
        self.root = root_at(root)
        self.language = language
        self._split = split
        self._in_split = re.compile(rf"(?:^|/)(?:partial-)?{re.escape(str(split))}(?:[-/.])")

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Units of `rows_per_unit` rows. Reads the files' footers, none of their data."""
        paths = [p for p in corpus_files(self.root, (".parquet",)) if self.root.only or self._in_split.search(p)]
        if not paths:
            raise SourceError(f"{self.root}: holds no Parquet file of the split {self._split!r}; set the option split")
        yield from in_order(self.root, paths, lambda path: self._units(path, rows_per_unit))

    def _units(self, path: str, rows_per_unit: int) -> Iterator[Unit]:
        with self.root.open(path) as file:
            try:
                parquet = _parquet(file)
            except FieldError:
                yield file.unit(0, 0, 1, 0)
                return
            names, groups = parquet.schema_arrow.names, range(parquet.num_row_groups)
            rows = sum(parquet.metadata.row_group(g).num_rows for g in groups)
            if lacking := [n for n in NEEDED if n not in names]:
                raise SourceError(f"{path}: has no column {lacking[0]!r}; is it GigaSpeech's?")
            for start in range(0, rows, rows_per_unit):
                end = min(start + rows_per_unit, rows)
                yield file.unit(start, end, end - start, start)

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """The rows of `unit`; sixteen are in memory at a time, and the pages of the file that they are in."""
        with self.root.open(unit.path, unit.version) as file:
            try:
                parquet = _parquet(file)
            except FieldError as e:
                if unit.end:
                    raise SourceError(f"{unit.path}: {e}; was it changed since the plan?") from None
                yield bad_record(unit.path, 0, "", e.reason, str(e))
                return
            if unit.end == 0:
                raise SourceError(f"{unit.path}: was not Parquet when it was planned; plan the source again")
            for ordinal, row in exactly(unit, enumerate(_rows(parquet, unit.start, unit.end), unit.start)):
                yield self._record(unit.path, ordinal, row)

    def _record(self, path: str, ordinal: int, row: dict[str, Any] | FieldError) -> SpeechRecord | BadRecord:
        name, text = "", None
        try:
            if isinstance(row, FieldError):
                raise row
            given, text = row.get("segment_id"), row.get("text")
            name = given if isinstance(given, str) and is_storable(given) else ""
            if not isinstance(text, str):
                raise FieldError("bad_field", "`text` is no text")
            written = written_text(text)
            clip = row.get("audio")
            data = clip.get("bytes") if isinstance(clip, dict) else None
            if not isinstance(data, bytes) or not data:
                raise FieldError("missing_audio", "`audio` holds no bytes; only Parquet with the clips inside is read")
            if len(data) > MAX_AUDIO_BYTES:
                raise FieldError("member_too_large", f"its audio has {len(data)} bytes, over {MAX_AUDIO_BYTES}")
            extra: dict[str, Any] = {"text_tn": text}
            if isinstance(recording := row.get("audio_id"), str):
                extra["recording"] = recording
            if row.get("begin_time") is not None:
                extra["start"] = start = round(seconds(row["begin_time"], "begin_time"), 3)
                extra["duration"] = round(seconds(row.get("end_time"), "end_time") - start, 3)
                if extra["duration"] <= 0:
                    raise FieldError("bad_times", f"the segment lasts {extra['duration']:g} s")
        except FieldError as e:
            message = f"{name or f'row {ordinal}'}: {e}"
            return bad_record(path, ordinal, name, e.reason, message, str(text or "").encode())
        key = record_key(path, ordinal, name)
        return SpeechRecord(key, data, written, speaker(row.get("speaker")), self.language, extra)


def _parquet(file: File) -> pq.ParquetFile:
    try:
        # page by page: a column of a row group would else be in memory as a whole
        return pq.ParquetFile(file.stream(), buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError) as e:
        raise FieldError("bad_parquet", f"is not Parquet, or broken: {_line(e)}") from None


def _rows(parquet: pq.ParquetFile, start: int, end: int) -> Iterator[dict[str, Any] | FieldError]:
    """Rows [start, end); from where a row group cannot be read on, each of its rows is the error instead."""
    columns = [n for n in COLUMNS if n in parquet.schema_arrow.names]
    begin = 0
    for group in range(parquet.num_row_groups):
        size, unpacked = parquet.metadata.row_group(group).num_rows, parquet.metadata.row_group(group).total_byte_size
        at, stop = max(begin, start), min(begin + size, end)
        error = None
        if at < stop and unpacked > MAX_GROUP_BYTES:
            error = FieldError("row_group_too_large", f"its row group unpacks to {unpacked} bytes")
        elif at < stop:
            try:
                first = begin
                for batch in parquet.iter_batches(_BATCH, [group], columns):
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


def _row(batch: pa.RecordBatch, i: int) -> dict[str, Any] | FieldError:
    try:
        row: dict[str, Any] = batch.slice(i, 1).to_pylist()[0]
    except UnicodeDecodeError as e:
        return FieldError("not_utf8", f"a text of it is not UTF-8: {e.reason}")
    return row


def _line(e: Exception) -> str:
    return " ".join(str(e).split())[:200]
