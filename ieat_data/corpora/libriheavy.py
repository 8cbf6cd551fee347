"""LibriHeavy: `libriheavy_cuts_*.jsonl.gz`, Lhotse cuts from the chapters of LibriLight (FLAC)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ieat_data.corpora.io.files import in_order, meant
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.corpora.lhotse_cuts import LhotseReader, own_text
from ieat_data.errors import did_you_mean

# the manifests of a subset; they are disjoint, and a subset includes the smaller ones. Other manifests are for tests.
SUBSETS = {"small": ("small",), "medium": ("small", "medium"), "large": ("small", "medium", "large")}


class LibriHeavyReader(LhotseReader):
    """Reads the manifests of `subset` in the root, or the root itself if it is one manifest.

    Args:
        subset: small, medium or large.
        audio_root: the folder of LibriLight, which holds `small/`, `medium/` and `large/`; a relative one lies in the
            root. It may be a URL.
        prefix: what the manifests have in place of `audio_root`.
    """

    def __init__(
        self,
        root: Root | Path | str,
        language: str,
        subset: str = "large",
        audio_root: str = "",
        prefix: str = "download/librilight",
    ) -> None:
        if not isinstance(subset, str):
            raise SourceError(f"option subset: {subset!r} is not a string")
        if subset not in SUBSETS:
            hint = did_you_mean(subset, SUBSETS)
            raise SourceError(f"option subset: {subset!r} is not a training subset{hint}")
        super().__init__(root, language, audio_root, prefix)
        names = [f"libriheavy_cuts_{part}.jsonl.gz" for part in SUBSETS[subset]]
        self._names = [self.root.only] if self.root.only else names

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` cuts. Decompress every manifest once; parse no cut."""
        for name in self._names:
            if self.root.entry(name) is None:
                hint = meant(self.root, lambda r, name=name: r.entry(name) is not None)  # type: ignore[misc]
                raise SourceError(f"{self.root}: holds no {name}{hint or '; fetch it, or set the option subset'}")
        yield from in_order(self.root, self._names, lambda name: self._units(name, rows_per_unit))

    @staticmethod
    def text(supervision: dict[str, Any]) -> Any:
        """Return the book's own words: the first of `custom.texts` (the second is from ASR), or the rewritten text."""
        return own_text(supervision) or supervision.get("text")

    @staticmethod
    def spoken(supervision: dict[str, Any], language: str) -> str:
        """Return the language of the corpus: it has one."""
        return language
