"""GigaSpeech as Parquet, as on Hugging Face: a row is a segment with its own clip (16 kHz WAV)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.corpora.gigaspeech import speaker, written_text
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.files import bad_record, corpus_files, in_order, is_storable, record_key
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.parquet import of_split, read_rows, units
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.segments import seconds
from ieat_data.corpora.io.units import Unit

COLUMNS = ("segment_id", "speaker", "text", "audio", "begin_time", "end_time", "audio_id")
NEEDED = ("segment_id", "text", "audio")
MAX_AUDIO_BYTES = 64 << 20


class GigaSpeechParquetReader:
    """`**/*.parquet` below the root.

    Args:
        split: files of that name or in a folder of it are read; so DEV and TEST stay out.
    """

    kind: ClassVar[str] = "speech"

    def __init__(self, root: Root | Path | str, language: str, split: str = "train") -> None:
        self.root = root_at(root)
        self.language = language
        self._split = str(split)

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` rows. Read the files' footers, none of their data."""
        paths = of_split(self.root, corpus_files(self.root, (".parquet",)), self._split)
        yield from in_order(self.root, paths, lambda path: units(self.root, path, rows_per_unit, NEEDED, "GigaSpeech"))

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """Yield the rows of `unit`, a few in memory at a time."""
        for ordinal, row in read_rows(self.root, unit, COLUMNS):
            yield self._record(unit.path, ordinal, row)

    def _record(self, path: str, ordinal: int, row: dict[str, Any] | FieldError) -> SpeechRecord | BadRecord:
        name, text = "", None
        try:
            if isinstance(row, FieldError):
                raise row
            given, text = row.get("segment_id"), row.get("text")
            name = given if isinstance(given, str) and is_storable(given) else ""
            if not isinstance(text, str):
                raise FieldError("bad_field", "`text` is not a string")
            written = written_text(text)
            clip = row.get("audio")
            data = clip.get("bytes") if isinstance(clip, dict) else None
            if not isinstance(data, bytes) or not data:
                raise FieldError("missing_audio", "`audio` holds no bytes; the clips must be inside the Parquet file")
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
