"""Samples to review: the rows of a dataset folder, read from its Parquet shards on request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ieat_data.apps.review.catalogue import Gone, Item, stamp
from ieat_data.data.audio import AudioError, duration, seekable
from ieat_data.data.sample import logical
from ieat_data.dataset.opening import load_manifest
from ieat_data.decisions.log import Key, Kind, seen_sample
from ieat_data.hashing import top_k

_TEXTS = [
    "id",
    *(f"messages.list.element.{name}" for name in ("role", "content", "transcript", "think")),
    "spans.list.element.speaker",
]
_KEPT = 32  # rows in memory, each with a few hundred kilobytes of audio

Place = tuple[Path, int, int]  # shard, row group, row in it


class Samples:
    """The samples of a dataset folder; a `Catalogue`."""

    kind: Kind = "sample"

    def __init__(self, folder: Path, limit: int | None = None, only: frozenset[str] | None = None) -> None:
        self.folder, self.limit, self.only = folder, limit, only
        self.name = ""
        self._lock = threading.Lock()
        self._stamp: Any = None
        self._items: dict[Key, Item] = {}
        self._places: dict[Key, Place] = {}
        self._rows: OrderedDict[Key, dict[str, Any]] = OrderedDict()
        self._seen: dict[Key, str] = {}
        self._words: dict[Key, tuple[str, ...]] | None = None
        self.refresh()

    @property
    def items(self) -> Mapping[Key, Item]:
        return self._items

    def refresh(self) -> None:
        with self._lock:
            made = load_manifest(self.folder)
            now = stamp([self.folder / "manifest.json"])
            if now == self._stamp:
                return
            self.name = made["name"]
            self._places = {}
            items: dict[Key, Item] = {}
            for shard in made["shards"]:
                self._index(self.folder / shard["path"], shard["config"], items)
            if self.only is not None:
                items = {k: i for k, i in items.items() if k.item in self.only}
            if self.limit is not None and self.limit < len(items):
                drawn = set(top_k((k.item for k in items), self.limit, "review"))
                items = {k: i for k, i in items.items() if k.item in drawn}
            self._items, self._stamp = items, now
            self._rows.clear()
            self._seen.clear()
            self._words = None

    def _index(self, path: Path, config: str, items: dict[Key, Item]) -> None:
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=["id", "task", "language"]).to_pylist()
            for i, row in enumerate(rows):
                key = Key("sample", config, row["id"])
                items[key] = Item(key, row["task"], row["language"])
                self._places[key] = (path, group, i)

    def _row(self, key: Key) -> dict[str, Any]:
        with self._lock:
            if key in self._rows:
                self._rows.move_to_end(key)
                return self._rows[key]
            if key not in self._items:
                raise Gone(f"{key.item} is no longer in {key.of}")
            path, group, i = self._places[key]
            try:
                row: dict[str, Any] = pq.ParquetFile(path).read_row_group(group).slice(i, 1).to_pylist()[0]
            except FileNotFoundError:
                raise Gone("the dataset was rebuilt") from None
            self._rows[key] = row
            while len(self._rows) > _KEPT:
                self._rows.popitem(last=False)
            return row

    def seen(self, key: Key) -> str:
        if key not in self._seen:
            self._seen[key] = seen_sample(logical(self._row(key)))
        return self._seen[key]

    def look(self, keys: Sequence[Key]) -> None:
        """Hash many rows, each row group read once; `seen` alone reads a group for each row."""
        with self._lock:
            wanted = _by_group({k: self._places[k] for k in keys if k not in self._seen and k in self._items})
            stamped = self._stamp
        for (path, group), some in wanted.items():
            with suppress(FileNotFoundError):  # the dataset was rebuilt: the next refresh sees that
                rows = pq.ParquetFile(path).read_row_group(group)
                made = {key: seen_sample(logical(rows.slice(i, 1).to_pylist()[0])) for i, key in some.items()}
                with self._lock:
                    if self._stamp == stamped:
                        self._seen |= made

    def words(self, key: Key) -> tuple[str, ...]:
        if self._words is None:
            self._words = self._read_words()
        if key not in self._words:
            raise Gone(f"{key.item} is no longer in {key.of}")
        return self._words[key]

    def _read_words(self) -> dict[Key, tuple[str, ...]]:
        """Read the texts of all samples, without their audio."""
        with self._lock:
            groups = _by_group({k: self._places[k] for k in self._items})
        found = {}
        for (path, group), keys in groups.items():
            try:
                rows = pq.ParquetFile(path).read_row_group(group, columns=_TEXTS).to_pylist()
            except FileNotFoundError:
                raise Gone("the dataset was rebuilt") from None
            for i, key in keys.items():
                found[key] = _words(rows[i])
        return found

    def show(self, key: Key) -> dict[str, Any]:
        row = self._row(key)
        return {**row, "audios": [_described(a["bytes"] or b"") for a in row["audios"]]}

    def remark(self, key: Key, text: str) -> str:
        return ""  # a row that breaks a rule never becomes a sample

    def audio(self, key: Key, index: int) -> bytes:
        return seekable(self._row(key)["audios"][index]["bytes"] or b"")


def _by_group(places: Mapping[Key, Place]) -> dict[tuple[Path, int], dict[int, Key]]:
    """Return for each row group which of its rows are wanted."""
    groups: dict[tuple[Path, int], dict[int, Key]] = {}
    for key, (path, group, i) in places.items():
        groups.setdefault((path, group), {})[i] = key
    return groups


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the user said first and the last answer; then all other texts, speakers and the id."""
    said = [m["content"] or m["transcript"] or "" for m in row["messages"]]
    users = [t for t, m in zip(said, row["messages"], strict=True) if m["role"] == "user"]
    others = [m["think"] for m in row["messages"]] + [s["speaker"] for s in row["spans"]] + [row["id"]]
    return (users or [""])[0], (said or [""])[-1], *(t for t in said[:-1] + others if t)


def _described(clip: bytes) -> dict[str, Any]:
    try:
        seconds, rate = duration(clip)
    except AudioError:
        seconds, rate = 0.0, 0
    return {"seconds": round(seconds, 3), "rate": rate}
