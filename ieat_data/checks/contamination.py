"""Is a text from a benchmark? Long runs of the same words, or shingles that are mostly the same.

The user names the benchmarks: files of JSON, JSON lines or plain text, of any structure. All strings in a JSON file
count (HumDial's `turns[].text` and `response_text`, TELEVAL's `query` and `answer`, …), except names and paths, which
are too short to be anyone's words.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ieat_data.checks.language import script_share
from ieat_data.checks.shingles import Hashes, ngrams, shingles, tokens
from ieat_data.config import Language, located
from ieat_data.errors import UserError

_MIN_TOKENS = {"en": 6, "zh": 8}  # of a text that can be copied: anyone may say shorter ones
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"(?P<key>\s*:)?')
_SUFFIXES = (".json", ".jsonl", ".txt")


@dataclass(frozen=True)
class Limits:
    """The limits: this many words (en) or characters (zh) in a row, or this Jaccard similarity of shingles."""

    words: int = 13
    characters: int = 20
    similarity: float = 0.7


@dataclass(frozen=True)
class Hit:
    """The matching place in a benchmark: `file:line`, and how it matched (`same_words`, or `similar` and how much)."""

    where: str
    how: str


def benchmark_files(paths: Sequence[str]) -> list[Path]:
    """Return the named files, and the files in named folders.

    Raises:
        UserError: one does not exist.
    """
    found: list[Path] = []
    for given in paths:
        path = located(given, "contamination")
        inside = sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES) if path.is_dir() else [path]
        if not path.exists() or not inside:
            raise UserError(f"contamination: {given}: no such file, or no {', '.join(_SUFFIXES)} in the folder")
        found += inside
    return found


def benchmark_hashes(paths: Sequence[str]) -> dict[str, str]:
    """Return the sha256 of each file by its name, for fingerprints and the manifest: no path of this machine."""
    return {f"{p.parent.name}/{p.name}": hashlib.sha256(p.read_bytes()).hexdigest() for p in benchmark_files(paths)}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, text) for the texts in a benchmark file.

    Raises:
        UserError: the file's content does not match its extension.
    """
    try:
        whole = path.read_text("utf-8")
        if path.suffix == ".json":
            json.loads(whole)
        elif path.suffix == ".jsonl":
            for said in filter(str.strip, whole.split("\n")):
                json.loads(said)
    except (OSError, ValueError) as e:
        raise UserError(f"contamination: {path}: cannot be read as {path.suffix[1:] or 'text'}: {e}") from None
    if path.suffix not in (".json", ".jsonl"):
        yield from ((i, said) for i, said in enumerate(whole.split("\n"), 1) if said.strip())
        return
    line, at = 1, 0
    for found in _STRING.finditer(whole):
        line, at = line + whole.count("\n", at, found.start()), found.start()
        if not found["key"]:
            yield line, json.loads(found[0])


class Benchmark:
    """The texts of one language, indexed to be searched for each sample."""

    def __init__(self, files: Sequence[Path], language: str, limits: Limits) -> None:
        self._language, self._limits = language, limits
        self._n = limits.words if language == "en" else limits.characters
        self._small = 3 if language == "en" else 4
        self._where: list[str] = []
        runs, sets = [], []
        for path in files:
            for line, text in texts(path):
                own = "zh" if script_share(text).get("han", 0.0) > 0.3 else "en"
                cut = tokens(text, language) if own == language else []
                if len(cut) >= _MIN_TOKENS[language]:
                    self._where.append(f"{path.name}:{line}")
                    runs.append(np.unique(ngrams(cut, self._n)))
                    sets.append(shingles([text], language, self._small))
        self._runs, self._run_of = _index(runs)
        self._shingles, self._shingle_of = _index(sets)
        self._sizes = np.array([len(s) for s in sets])

    def __len__(self) -> int:
        return len(self._where)

    def find(self, text: str) -> Hit | None:
        """Return the matching place in the benchmark, or None."""
        same = _look_up(self._runs, self._run_of, ngrams(tokens(text, self._language), self._n))
        if len(same):
            return Hit(self._where[int(same.min())], "same_words")
        own = shingles([text], self._language, self._small)
        shared = np.bincount(_look_up(self._shingles, self._shingle_of, own), minlength=len(self._where))
        if not shared.any():
            return None
        jaccard = shared / (len(own) + self._sizes - shared)
        best = int(jaccard.argmax())
        return (
            Hit(self._where[best], f"similar {jaccard[best]:.2f}") if jaccard[best] >= self._limits.similarity else None
        )


def _index(of_texts: Sequence[Hashes]) -> tuple[Hashes, NDArray[np.int64]]:
    """Return all hashes, sorted, and the text of each."""
    every = np.concatenate([*of_texts, np.empty(0, np.uint64)])
    text = np.repeat(np.arange(len(of_texts)), [len(h) for h in of_texts])
    order = np.argsort(every, kind="stable")
    return every[order], text[order]


def _look_up(index: Hashes, of: NDArray[np.int64], wanted: Hashes) -> NDArray[np.int64]:
    """Return the texts that hold the wanted hashes, one entry per hash and text."""
    low, high = np.searchsorted(index, wanted, "left"), np.searchsorted(index, wanted, "right")
    return np.concatenate([of[a:b] for a, b in zip(low, high, strict=True) if b > a] or [np.empty(0, np.int64)])


@functools.cache
def benchmarks(paths: tuple[str, ...], limits: Limits) -> dict[str, Benchmark]:
    """Return the benchmark of each language; read once per process."""
    files = benchmark_files(paths)
    return {language: Benchmark(files, language, limits) for language in get_args(Language)}
