"""Where the files lie that a table's paths mean: which folder, what the paths have too much or too little of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ieat_data.corpora.io.names import AUDIO_SUFFIXES, is_unsafe


class Place(NamedTuple):
    """`root`/PATH without `prefix` and with `suffix` is a file."""

    root: Path
    prefix: str
    suffix: str


def place_of(paths: Iterable[str], roots: Sequence[Path]) -> tuple[Place | None, int]:
    """Return what makes most of these paths files, and of how many.

    The shorter the prefix the better; among equals the first of the `roots`.
    """
    votes: Counter[tuple[int, int, str, str]] = Counter()
    for path in paths:
        for vote in _votes(path, roots):
            votes[vote] += 1
    if not votes:
        return None, 0
    best = min(votes, key=lambda v: (-votes[v], v[0], v[1], v[3] != "", v))
    _, at, prefix, suffix = best
    return Place(roots[at], prefix, suffix), votes[best]


def _votes(path: str, roots: Sequence[Path]) -> Iterable[tuple[int, int, str, str]]:
    plain = path if "/" in path else path.replace("\\", "/")
    parts = PurePosixPath(plain.strip()).parts
    suffixes = ("",) if plain.lower().endswith(AUDIO_SUFFIXES) else ("", *AUDIO_SUFFIXES)
    for cut in range(len(parts)):
        rest = "/".join(parts[cut:])
        if is_unsafe(rest):
            continue
        prefix = PurePosixPath(*parts[:cut]).as_posix() if cut else ""
        for at, root in enumerate(roots):
            for suffix in suffixes:
                if (root / f"{rest}{suffix}").is_file():
                    yield cut, at, prefix, suffix
