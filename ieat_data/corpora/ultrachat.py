"""UltraChat in both published forms.

stingning/ultrachat has JSON lines `{"id", "data": [user, assistant, user, …]}`, HuggingFaceH4/ultrachat_200k has
Parquet with `prompt`, `prompt_id` and `messages`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ieat_data.corpora.forms import files_of_one_form
from ieat_data.corpora.io import parquet
from ieat_data.corpora.io.base import BadRecord, QueryRecord
from ieat_data.corpora.io.file_versions import file_versions
from ieat_data.corpora.io.files import bad_record, in_order
from ieat_data.corpora.io.json_records import MAX_RECORD_BYTES, FieldError, JsonReader, is_corpus_file, query, units
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import SourceError, Unit

LINES, PARQUET = (".jsonl", ".json"), (".parquet",)
COLUMNS = ("prompt", "prompt_id")  # `prompt` is the first user turn; the dialogue itself is not read
ALL, TRAIN = "all", "train_sft"


class UltraChatReader(JsonReader):
    """Reads `**/*.jsonl` and `**/*.json` below the root, or `**/*.parquet`, whichever is there.

    The query is the first turn; odd numbers of turns occur.

    Args:
        split: of Parquet alone, the files of that name or in a folder of it; null: `train_sft`; `all`: every file.
    """

    def __init__(self, root: Root | Path | str, language: str, split: str | None = None) -> None:
        super().__init__(root, language)
        if split is not None and (not isinstance(split, str) or not split):
            raise SourceError(f"option split: expected the name of a split ({TRAIN}, …) or {ALL}, got {split!r}")
        self._split = split

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` records. Scan the JSON once, or read the footers of the Parquet files."""

        def cut(path: str) -> Iterator[Unit]:
            if path.lower().endswith(PARQUET):
                return parquet.units(self.root, path, rows_per_unit, COLUMNS[:1], "UltraChat 200k")
            return units(self.root, path, rows_per_unit)

        yield from in_order(self.root, self._paths(), cut)

    def read(self, unit: Unit) -> Iterator[QueryRecord | BadRecord]:
        """Yield the queries of `unit`, one record in memory at a time; of Parquet a few rows of two columns."""
        if not unit.path.lower().endswith(PARQUET):
            yield from super().read(unit)
            return
        for ordinal, row in parquet.read_rows(self.root, unit, COLUMNS):
            yield _row(unit.path, ordinal, row)

    def file_versions(self) -> list[list[object]]:
        """Return the versions of the files that are read: those of the split if there are splits."""
        paths = self._paths()
        one = bool(self.root.only) or not paths[0].lower().endswith(PARQUET)
        return file_versions(self.root) if one else file_versions(self.root, paths)

    def _paths(self) -> list[str]:
        paths = files_of_one_form(self.root, LINES, PARQUET, keep=is_corpus_file)
        if paths[0].lower().endswith(PARQUET):
            return paths if self._split == ALL else parquet.of_split(self.root, paths, self._split or TRAIN)
        if self._split is not None:
            raise SourceError(f"option split: {self.root} holds JSON lines, which have no splits; remove the option")
        return paths

    @staticmethod
    def extract(record: dict[str, Any]) -> Any:
        turns = record.get("data")
        if not isinstance(turns, list) or not turns:
            raise FieldError("bad_field", "there is no list `data` of turns")
        return turns[0]


def _row(path: str, ordinal: int, row: dict[str, Any] | FieldError) -> QueryRecord | BadRecord:
    name, text = "", None
    try:
        if isinstance(row, FieldError):
            raise row
        given, text = row.get("prompt_id"), row["prompt"]
        name = given if isinstance(given, str) else ""
        size = len(text) if isinstance(text, (str, bytes)) else 0
        if size > MAX_RECORD_BYTES:
            raise FieldError("record_too_large", f"{size} characters, over {MAX_RECORD_BYTES}")
        return query(path, ordinal, name, text)
    except FieldError as e:
        payload = text[:65536].encode("utf-8", "replace") if isinstance(text, str) else b""
        return bad_record(path, ordinal, name, e.reason, f"row {ordinal}: {e}", payload)
