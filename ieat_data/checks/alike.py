"""Short texts that are too similar for one bank: the same words, or nearly, in any order."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import fuzz, process

from ieat_data.checks.query import dedup_key

ALIKE = 80.0  # per cent; a short sentence with one word exchanged is above it


class Alikes:
    """The texts of a bank in one language, to find the one that a new text resembles too much."""

    def __init__(self, language: str, texts: Iterable[str] = ()) -> None:
        self._language = language
        self._texts: list[str] = []
        self._keys: list[str] = []  # as compared: without case, punctuation, width
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        self._texts.append(text)
        self._keys.append(dedup_key(text, self._language))

    def find(self, text: str) -> str | None:
        """Return the most similar text, if it is too similar to `text`."""
        key = dedup_key(text, self._language)
        # Chinese has no spaces to sort words by: both scores are equal there
        found = [
            process.extractOne(key, self._keys, scorer=scorer, score_cutoff=ALIKE)
            for scorer in (fuzz.ratio, fuzz.token_sort_ratio)
        ]
        best = max((f for f in found if f), key=lambda f: f[1], default=None)
        return self._texts[best[2]] if best else None
