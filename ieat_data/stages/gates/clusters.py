"""Near-duplicates among any number of texts, with only a part of them in memory: the rest is in scratch files.

Each row has a signature for each kind of its texts. Signatures that share a band and a scope are candidates; they are
compared, and of those that are alike the row with the smallest id stays. Written as it comes: ids, signatures and the
keys of bands, these parted by their first byte; then each part is sorted by itself. Keys that fit into the buffer need
no files. What grows with the build in memory is one byte a row, and about 100 bytes for each near-duplicate.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ieat_data.checks.shingles import PLACES, Hashes, band_keys, similarity

_PARTS = 256
_KEY = np.dtype([("key", "<u8"), ("text", "<u4")])
_BUFFERED = 1 << 21  # keys buffered before they are written: 25 MB
_PAIRS = 1 << 23  # candidates buffered before repeated ones are removed
_CHUNK = 1 << 16


class Duplicate(NamedTuple):
    """A row to drop, the similar row that stays, in which kind of text they match, and their similarity."""

    row: int
    of: int
    kind: int
    similarity: float


class Clusters:
    """Finds near-duplicates. Rows are numbered as they are added; a text's number is row * kinds + kind.

    Args:
        folder: for scratch files: about 320 bytes for each text.
        thresholds: for each kind of text the similarity from which on two are near-duplicates.
    """

    def __init__(self, folder: Path, thresholds: Sequence[float]) -> None:
        self._folder, self._thresholds = folder, np.array(thresholds)
        self.rows = 0
        self._ids = (folder / "ids").open("wb")
        self._signatures = (folder / "signatures").open("wb")
        self._parts: list[BinaryIO] = []  # from the first full buffer on
        self._buffer: list[NDArray[Any]] = []
        self._buffered = 0

    def add(self, ids: Sequence[str], texts: Sequence[tuple[NDArray[np.bool_], NDArray[np.uint8], Hashes]]) -> None:
        """Add rows (ids of 32 hex digits).

        `texts`: for each kind, which rows have a text (n,), the signatures of these (m, 96) and their scopes (m,).
        Texts of different scopes are never compared.
        """
        self._ids.write(bytes.fromhex("".join(ids)))
        kinds = len(self._thresholds)
        all_signatures = np.zeros((len(ids), kinds, PLACES), np.uint8)
        for kind, (there, signatures, scopes) in enumerate(texts):
            all_signatures[there, kind] = signatures
            numbers = (self.rows + np.flatnonzero(there)) * kinds + kind
            keys = band_keys(signatures, scopes)
            entries = np.empty(keys.size, _KEY)
            entries["key"], entries["text"] = keys.ravel(), np.repeat(numbers, keys.shape[1])
            self._buffer.append(entries)
            self._buffered += len(entries)
        self._signatures.write(all_signatures.tobytes())
        self.rows += len(ids)
        if self.rows * kinds > np.iinfo(np.uint32).max:
            raise OverflowError("near-duplicates: more than 2**32 texts")
        if self._buffered >= _BUFFERED:
            self._flush()

    def _flush(self) -> None:
        if not self._parts:
            self._parts = [(self._folder / f"keys-{i:03d}").open("wb") for i in range(_PARTS)]
        entries = np.concatenate([*self._buffer, np.empty(0, _KEY)])
        part = (entries["key"] >> np.uint64(56)).astype(np.uint8)
        order = np.argsort(part, kind="stable")
        ends = np.cumsum(np.bincount(part, minlength=_PARTS))
        for file, some in zip(self._parts, np.split(entries[order], ends[:-1]), strict=True):
            file.write(some.tobytes())
        self._buffer, self._buffered = [], 0

    def duplicates(self) -> Iterator[Duplicate]:
        """Yield the rows to drop, in the order in which they were added. Nothing can be added afterwards."""
        if self._parts:
            self._flush()
        for file in (self._ids, self._signatures, *self._parts):
            file.close()
        if not self.rows:
            return
        kinds = len(self._thresholds)
        self._ranks = np.memmap(self._folder / "ids", ">u8", "r", shape=(self.rows, 2))
        self._known = np.memmap(self._folder / "signatures", np.uint8, "r", shape=(self.rows * kinds, PLACES))
        pairs, alike = self._alike(self._candidates())
        yield from self._decide(pairs, alike)

    def name(self, row: int) -> str:
        """Return the id of a row, after `duplicates` was called."""
        return bytes(self._ranks[row].tobytes()).hex()

    def _candidates(self) -> Hashes:
        """Return the pairs of texts that share a band, as (text << 32 | the other, with the smaller id), sorted."""
        found, held = [np.empty(0, np.uint64)], 0
        for entries in self._keys():
            pairs = self._of_part(entries)
            found.append(pairs)
            held += len(pairs)
            if held > _PAIRS:
                found, held = [np.unique(np.concatenate(found))], 0
        return np.unique(np.concatenate(found))

    def _keys(self) -> Iterator[NDArray[Any]]:
        """Yield all entries: those with one key come together."""
        if not self._parts:
            yield np.concatenate([*self._buffer, np.empty(0, _KEY)])
        for i in range(len(self._parts)):
            path = self._folder / f"keys-{i:03d}"
            yield np.fromfile(path, _KEY)
            path.unlink()

    def _of_part(self, entries: NDArray[Any]) -> Hashes:
        entries = entries[np.argsort(entries["key"])]
        key = entries["key"]
        same = key[1:] == key[:-1]
        shared = np.concatenate([same, [False]]) | np.concatenate([[False], same]) if len(key) else same
        key, text = key[shared], entries["text"][shared]
        high, low = self._rank(text)
        order = np.lexsort((text, low, high, key))
        key, text = key[order], text[order].astype(np.uint64)
        follows = np.concatenate([[False], key[1:] == key[:-1]]) if len(key) else np.empty(0, bool)
        at = np.flatnonzero(follows)
        first = np.maximum.accumulate(np.where(follows, 0, np.arange(len(key))))[at]
        # with the smallest of the bucket, and with the previous one: not all texts in a large bucket are similar
        others = np.concatenate([text[first], text[at - 1]])
        return np.unique(np.tile(text[at], 2) << np.uint64(32) | others)

    def _rank(self, texts: NDArray[Any]) -> tuple[Hashes, Hashes]:
        """Return the sort keys of rows: their ids, in two halves."""
        ids = np.asarray(self._ranks[texts // len(self._thresholds)])
        return ids[:, 0].astype(np.uint64), ids[:, 1].astype(np.uint64)

    def _alike(self, pairs: Hashes) -> tuple[Hashes, NDArray[np.float32]]:
        """Return the pairs whose texts are similar enough, and their similarity."""
        kept, alike = [np.empty(0, np.uint64)], [np.empty(0, np.float32)]
        for start in range(0, len(pairs), _CHUNK):
            some = pairs[start : start + _CHUNK]
            text, other = some >> np.uint64(32), some & np.uint64(0xFFFFFFFF)
            found = similarity(self._known[text], self._known[other])
            enough = found >= self._thresholds[text % np.uint64(len(self._thresholds))]
            kept.append(some[enough])
            alike.append(found[enough].astype(np.float32))
        return np.concatenate(kept), np.concatenate(alike)

    def _decide(self, pairs: Hashes, alike: NDArray[np.float32]) -> Iterator[Duplicate]:
        """Decide from the smallest id on: drop a row if it is similar to one that stays; report the first such."""
        kinds = len(self._thresholds)
        text, other = pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)
        order = np.lexsort((*self._rank(other)[::-1], *self._rank(text)[::-1]))
        gone = bytearray(self.rows)
        chosen = array("Q")
        for start in range(0, len(order), _CHUNK):
            some = order[start : start + _CHUNK]
            rows, others = (text[some] // kinds).tolist(), (other[some] // kinds).tolist()
            for at, row, of in zip(some.tolist(), rows, others, strict=True):
                if not gone[row] and not gone[of]:
                    gone[row] = 1
                    chosen.append(at)
        decided = np.frombuffer(chosen, np.uint64) if chosen else np.empty(0, np.uint64)
        for at in decided[np.argsort(text[decided])].tolist():
            row, kind = divmod(int(text[at]), kinds)
            yield Duplicate(row, int(other[at]) // kinds, kind, float(alike[at]))
