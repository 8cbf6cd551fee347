"""A dataset of the Hugging Face hub whose Parquet files hold clips: an `Audio` column, and columns of any names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from ieat_data.corpora.folder import check_columns, column_names, speech
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.file_versions import file_versions
from ieat_data.corpora.io.files import corpus_files, in_order
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.parquet import of_split
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.corpora.tables import columns as names
from ieat_data.corpora.tables.clips import ClipFiles
from ieat_data.corpora.tables.table import Table, open_table

ALL = "all"


class HuggingFaceReader:
    """Reads `**/*.parquet` below the root, a folder or `hf://datasets/OWNER/NAME`, of one split.

    Args:
        split: the files of that name or in a folder of it; `all`: every file.
        subset: the folder of the files, where a dataset has several configs.
        columns: what is called how: `audio`, `text`, `speaker`, `language`, `id`. A column that bears such a name need
            not be named; only `audio` must be there.
    """

    kind: ClassVar[str] = "speech"

    def __init__(
        self,
        root: Root | Path | str,
        language: str,
        split: str = "train",
        subset: str = "",
        columns: Mapping[str, str] = {},
    ) -> None:
        for option, value in (("split", split), ("subset", subset)):
            if not isinstance(value, str):
                raise SourceError(f"option {option}: {value!r} is not a string")
        self.root = root_at(root)
        self.language = language
        self._split, self._subset = split, subset.strip("/")
        self._columns = names.checked(columns, names.SPEECH)

    def paths(self) -> list[str]:
        """Return the files that are read.

        Raises:
            SourceError: there are none.
        """
        try:
            found = corpus_files(self.root, (".parquet",))
        except SourceError:
            if self.root.exists() and any(entry.path.endswith(".arrow") for entry in self.root.walk()):
                raise SourceError(
                    f"{self.root}: holds Arrow files, as save_to_disk writes them; write Parquet instead: "
                    "dataset.to_parquet('train.parquet')"
                ) from None
            raise
        within = [path for path in found if not self._subset or path.startswith(f"{self._subset}/")]
        if not within:
            raise SourceError(f"{self.root}: holds no Parquet file in {self._subset}/; set the option subset")
        return within if self._split == ALL else of_split(self.root, within, self._split)

    def table(self, path: str) -> Table:
        """Return one file, opened and checked."""
        found = open_table(self.root, path)
        check_columns(found, self._columns, "audio")
        return found

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` rows. Read the files' footers, none of their data."""
        yield from in_order(self.root, self.paths(), lambda path: self.table(path).units(rows_per_unit))

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """Yield the rows of `unit`, a few in memory at a time."""
        table = self.table(unit.path)
        columns = column_names(table, self._columns, names.SPEECH)
        clips = ClipFiles(self.root)
        for row in table.rows(unit, list(columns.values())):
            yield speech(unit.path, row, columns, clips, self.language)

    def file_versions(self) -> list[list[object]]:
        """Return the versions of the files that are read."""
        return file_versions(self.root, self.paths())
