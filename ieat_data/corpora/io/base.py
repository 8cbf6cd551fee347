"""What a source is: a reader cuts a corpus into units once, then reads any unit without reading the others.

Nothing that comes out of a corpus is trusted: a record that cannot be used becomes a `BadRecord` and is quarantined.
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
    """One clip of a speech corpus, its audio bytes as they came."""

    key: str
    audio: bytes
    text: str
    speaker: str = ""
    language: str = ""
    extra: dict[str, Any] = field(default_factory=dict)  # e.g. dnsmos


@dataclass(frozen=True)
class QueryRecord:
    """The user's first words in one dialogue of a text corpus."""

    key: str
    text: str


@dataclass(frozen=True)
class BadRecord:
    """A record that could not be read: it keeps its place, its reason code and its payload (cut to a sane length)."""

    key: str
    reason: str
    message: str
    payload: bytes = b""


class Reader(Protocol):
    """One corpus in its native layout. `kind`: `speech` gives SpeechRecord, `text` gives QueryRecord.

    A reader takes its own options by name, as a source manifest gives them under `options`; it raises SourceError for a
    value that it cannot use. One that reads only some of the files below its root says which in a method `identity`,
    with the return value of `corpora/io/identity.py`; one that reads files elsewhere as well names their roots in
    `outside`. `root`: a folder or a URL (`corpora/io/roots.py`).
    """

    kind: ClassVar[str]
    root: Root

    def __init__(self, root: Root | Path | str, language: str, **options: Any) -> None: ...

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Cut the corpus, in a fixed order of files, reading as little as the format allows (bounded memory).

        A unit holds at most `rows_per_unit` records, but more where the format has to be read from its beginning.
        Raises SourceError when the root is missing or holds none of the corpus's files (say what was looked for).
        """
        ...

    def read(self, unit: Unit) -> Iterator[SpeechRecord | QueryRecord | BadRecord]:
        """Exactly `unit.rows` records, in the order of the file; keys are unique in the corpus and stable."""
        ...
