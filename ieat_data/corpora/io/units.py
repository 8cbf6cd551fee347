"""The part of a corpus that one task reads, and the error for a corpus that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

from ieat_data.errors import UserError


class SourceError(UserError):
    """A source that cannot be read at all. The message is one line: what, where and what to do."""


@dataclass(frozen=True)
class Unit:
    """The part [start, end) of the file `path` (below the corpus root) holds `rows` records; for a folder [0, 0).

    `start` and `end` count bytes; of the decompressed text in a gzip file, rows in Parquet.
    """

    path: str
    start: int
    end: int
    rows: int
    index: int  # ordinal of the first record in the file
    skip: int = 0  # records at the start of the part that belong to the previous unit
    version: str = ""  # of a remote file when it was cut; a file of another version is not read
