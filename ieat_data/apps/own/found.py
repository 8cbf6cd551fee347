"""How a user's files are read, as far as it is known by looking at them."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ieat_data.corpora import reader_class
from ieat_data.corpora.io.base import BadRecord, QueryRecord, SpeechRecord
from ieat_data.errors import UserError

FIRST = 20  # rows that are looked at, and shown


@dataclass
class Found:
    """How files are read: a reader, where the corpus lies, the reader's options, and what was guessed, a line each."""

    kind: str
    reader: str
    place: Path | str
    options: dict[str, Any] = field(default_factory=dict)
    took: list[str] = field(default_factory=list)
    language: str = ""
    untranscribed: bool = False  # no clip has a transcript

    def first(self, n: int = FIRST) -> list[SpeechRecord | QueryRecord | BadRecord]:
        """Return the first records."""
        reader = reader_class(self.reader)(self.place, self.language or "en", **self.options)
        records = (record for unit in reader.plan(n) for record in reader.read(unit))
        return list(itertools.islice(records, n))

    def told(self, language: str) -> None:
        """Settle the language: the given one, else what the first records say or look like. See if they have texts.

        Raises:
            UserError: it is another one than English or Chinese.
        """
        self.language = language
        good = [r for r in self.first() if not isinstance(r, BadRecord)]
        self.untranscribed = self.kind == "speech" and bool(good) and not any(r.text.strip() for r in good)
        if self.untranscribed:
            self.took.append("no transcripts: the ASR's words stand in for them, with nothing to compare them with")
        if not language:
            self.language, why = _spoken(good)
            why = "a guess: there is no text; name it with --language" if self.untranscribed and why != _SAID else why
            self.took.append(f"language: {self.language} ({why})")
        if self.language not in ("en", "zh"):
            raise UserError(f"--language {self.language!r}: English (en) and Chinese (zh) are what is built")


_SAID = "as the rows say"


def _spoken(good: Sequence[SpeechRecord | QueryRecord]) -> tuple[str, str]:
    named = Counter(r.language for r in good if isinstance(r, SpeechRecord) and r.language in ("en", "zh"))
    chinese = sum("\u4e00" <= c <= "\u9fff" for r in good for c in r.text)
    letters = sum(c.isalpha() for r in good for c in r.text)
    seems = "zh" if letters and chinese / letters > 0.3 else "en"
    # a reader gives `en` where the corpus names none
    said = named.most_common(1)[0][0] if named else seems
    return (said, _SAID) if said == "zh" and (seems == "zh" or not letters) else (seems, "by the texts")


def way(table: Path, root: Path) -> str:
    """Return the path of a file as an option gives it: from `root`, or whole if that is far away."""
    found = os.path.relpath(table.resolve(), root)
    return found if found.count("..") <= 2 else str(table.resolve())


def slug(text: str) -> str:
    """Return a name for a source and a pipeline: small letters, digits and `.-_`."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._") or "mine"
