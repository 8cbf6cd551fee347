"""The part of a corpus that one task reads, and the fault of a corpus that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ieat_data.errors import UserError

if TYPE_CHECKING:
    pass


class SourceError(UserError):
    """A source that cannot be read at all: one line, what, where and what to do."""


@dataclass(frozen=True)
class Unit:
    """The part [start, end) of the file `path` (below the corpus root) holds `rows` records; of a folder [0, 0).

    A part is counted in bytes; in a gzip file in those of its text, in Parquet in rows.
    """

    path: str
    start: int
    end: int
    rows: int
    index: int  # ordinal of the first record in the file
    skip: int = 0  # records at the start of the part that belong to the unit before it
    version: str = ""  # of a remote file, when it was cut: another one is not read
