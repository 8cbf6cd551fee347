"""Where a page finds a clip: extracted beside the page, or read from the shard when it is played."""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq

from ieat_data.apps.web import js
from ieat_data.data.audio import container, seekable
from ieat_data.storage.parts import shard_file


@dataclass(frozen=True, slots=True)
class Place:
    """A clip in a shard: `n` is its index in `audios` of a sample, None in a table with one clip per row."""

    path: Path
    row: int
    n: int | None = None


class Clips(Protocol):
    """Gives the clips of a page their addresses."""

    def address(self, place: Place) -> str | None:
        """Return the clip's address relative to the page, or None if the page has no clip."""


class NoClips:
    """Gives no clips."""

    def address(self, place: Place) -> str | None:
        return None


class ExtractedClips:
    """Files named by content: a clip in several samples is written once.

    FLAC is written as WAV: about twice the bytes, but a browser can seek anywhere in it (`audio.seekable`). Beside each
    clip lies a script with its bytes as they are stored, from which the page draws it: a page that is opened from disk
    can play a clip, and can read nothing but scripts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def address(self, place: Place) -> str | None:
        stored = stored_clip(place)
        if stored is None:
            return None
        clip = seekable(stored)
        name = hashlib.sha256(clip).hexdigest()[:24]
        inside = f"audio/{name[:2]}/{name}.{container(clip)}"
        path = self._folder / inside
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(clip)
            script = f"IEAT.bytes({js(inside)},{js(base64.b64encode(stored).decode('ascii'))});\n"
            path.with_name(f"{path.name}.js").write_text(script, encoding="ascii")
        return inside


class ServedClips:
    """Addresses for the server of a live report, which knows its shards by number."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._numbers: dict[Path, int] = {}

    def address(self, place: Place) -> str | None:
        number = self._numbers.setdefault(place.path, len(self.paths))
        if number == len(self.paths):
            self.paths.append(place.path)
        return f"clip/{number}/{place.row}/{'' if place.n is None else place.n}"

    def place(self, address: str) -> Place | None:
        """Return the clip at an address, or None if that was never given out."""
        kind, *numbers = address.split("/")
        if kind != "clip" or len(numbers) != 3 or not all(n.isascii() and n.isdigit() for n in filter(None, numbers)):
            return None
        shard, row, n = (int(x) if x else None for x in numbers)
        if shard is None or row is None or shard >= len(self.paths):
            return None
        return Place(self.paths[shard], row, n)


@lru_cache(maxsize=64)
def row_groups(path: Path) -> tuple[int, ...]:
    """Return the first row of each row group of a shard, and at the end the number of its rows."""
    meta = pq.read_metadata(path)
    return tuple(accumulate((meta.row_group(i).num_rows for i in range(meta.num_row_groups)), initial=0))


@lru_cache(maxsize=2)
def _group(path: Path, group: int, column: str) -> Sequence[Any]:
    """Return one column of a row group: clips are requested in the order of rows, so a group is read once."""
    with shard_file(path).open() as file:
        rows: list[Any] = file.read_row_group(group, columns=[column]).column(column).to_pylist()
    return rows


def read_clip(place: Place) -> bytes | None:
    """Return the encoded clip in a form in which a browser can seek, or None if the row has none."""
    stored = stored_clip(place)
    return seekable(stored) if stored else None


def stored_clip(place: Place) -> bytes | None:
    """Return the encoded clip as it is stored, or None if the row has none."""
    starts = row_groups(place.path)
    if not 0 <= place.row < starts[-1]:
        return None
    group = bisect_right(starts, place.row) - 1
    rows = _group(place.path, group, "audio" if place.n is None else "audios")
    found = rows[place.row - starts[group]]
    if place.n is not None:
        found = found[place.n]["bytes"] if found and 0 <= place.n < len(found) else None
    return found or None


def batches(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield (number of the first row, rows) of a shard, a few rows in memory at a time."""
    at = 0
    with shard_file(path).open() as file:
        for batch in file.iter_batches(batch_size=64, columns=list(columns)):
            rows: list[dict[str, Any]] = batch.to_pylist()
            yield at, rows
            at += len(rows)
