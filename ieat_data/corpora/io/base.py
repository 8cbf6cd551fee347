"""What a source is: a reader cuts a corpus into units once, then reads any unit without reading the others.

Nothing in a corpus is trusted: a record that cannot be used becomes a `BadRecord` and is quarantined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ieat_data.corpora.io.units import Unit

if TYPE_CHECKING:
    from ieat_data.corpora.io.roots import Root


@dataclass(frozen=True)
class SpeechRecord:
    """One clip of a speech corpus, with its audio bytes as they are in the corpus."""

    key: str
    audio: bytes
    text: str
    speaker: str = ""
    language: str = ""
    extra: dict[str, Any] = field(default_factory=dict)  # e.g. dnsmos


@dataclass(frozen=True)
class QueryRecord:
    """The first user turn of one dialogue of a text corpus."""

    key: str
    text: str


@dataclass(frozen=True)
class BadRecord:
    """A record that could not be read: its key, reason code, message and payload (truncated)."""

    key: str
    reason: str
    message: str
    payload: bytes = b""


class Reader(Protocol):
    """One corpus in its native layout. `kind`: `speech` gives SpeechRecord, `text` gives QueryRecord.

    A source manifest gives a reader's own options by name, under `options`; the reader raises SourceError for a value
    that it cannot use. A reader of only some of the files below its root says which in a method `file_versions`, with
    the return value of `corpora/io/file_versions.py`; one that also reads files elsewhere names their roots in
    `outside`. `root` is a folder or a URL (`corpora/io/roots.py`).
    """

    kind: ClassVar[str]
    root: Root

    def __init__(self, root: Root | Path | str, language: str, **options: Any) -> None: ...

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Cut the corpus into units, in a fixed order of files.

        Read as little as the format allows, in bounded memory. A unit holds at most `rows_per_unit` records, or more
        if the format must be read from its beginning.

        Raises:
            SourceError: the root is missing or holds none of the corpus's files (name the files looked for).
        """
        ...

    def read(self, unit: Unit) -> Iterator[SpeechRecord | QueryRecord | BadRecord]:
        """Yield exactly `unit.rows` records in file order; keys are stable and unique in the corpus."""
        ...
