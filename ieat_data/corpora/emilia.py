"""Emilia and Emilia-YODAS, in both published forms: WebDataset tars and the raw tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ieat_data.corpora.emilia_raw import read_raw
from ieat_data.corpora.emilia_tar import read_tar, tar_units
from ieat_data.corpora.forms import files_of_one_form
from ieat_data.corpora.io import json_records
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.files import in_order
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import Unit

TARS, RAW = (".tar",), (".jsonl",)


class EmiliaReader:
    """Reads `**/*.tar` below the root, or `**/*.jsonl` with the clips beside them, whichever is there.

    Tars lie in `Emilia/EN/…` and `Emilia-YODAS/ZH/…`, the raw tree in `raw/EN/…`. Both forms give the same records,
    keys and `extra`.
    """

    kind: ClassVar[str] = "speech"

    def __init__(self, root: Root | Path | str, language: str) -> None:
        self.root = root_at(root)
        self.language = language

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` clips. Read the tars' headers or scan the JSON lines; read no clip."""

        def units(path: str) -> Iterator[Unit]:
            cut = json_records.units if path.lower().endswith(RAW) else tar_units
            return cut(self.root, path, rows_per_unit)

        yield from in_order(self.root, files_of_one_form(self.root, TARS, RAW), units)

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """Yield the clips of `unit`, one in memory at a time."""
        read = read_raw if unit.path.lower().endswith(RAW) else read_tar
        yield from read(self.root, unit, self.language)
