"""What a shard of samples holds: counts, hours and the content digest, small enough for a commit record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from ieat_data.data.audio import duration
from ieat_data.hashing import content_digest, row_digest

COUNTED = ("task", "language", "n_turns", "emotion", "transition")


def logical(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample as its digest sees it: each clip's length (seconds, Hz) in place of its bytes.

    The spans say what a clip is joined from, with the hash of every source clip. The clip's own samples are left out:
    on another kind of CPU, decoding MP3 and resampling round differently, by one 16-bit step in one sample of
    thousands.
    """
    return {**row, "audios": [[a["path"], *duration(a["bytes"])] for a in row["audios"]]}


def digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the content digest of samples, 64 hex digits; it does not depend on their order or shards."""
    return f"{content_digest(row_digest(logical(r)) for r in rows):064x}"


def emotions(row: Mapping[str, Any]) -> list[str]:
    """Return the user's emotions, turn by turn."""
    return [m["emotion"]["label"] for m in row["messages"] if m["emotion"] and m["emotion"]["label"]]


class Summary:
    """Counts by task, language, turns, emotion and first→last emotion; seconds of audio; content digest."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {c: Counter() for c in COUNTED}
        self._seconds = 0.0
        self._digests: list[bytes] = []

    def add(self, row: Mapping[str, Any], seen_as: Mapping[str, Any] | None = None) -> None:
        """Add a sample. `seen_as`: what `logical` makes of it, if the caller has it."""
        felt = emotions(row)
        for column in ("task", "language", "n_turns"):
            self._counts[column][str(row[column])] += 1
        self._counts["emotion"].update(felt)
        if len(felt) > 1:
            self._counts["transition"][f"{felt[0]} → {felt[-1]}"] += 1
        self._seconds += sum(
            max((s["end_s"] for s in row["spans"] if s["audio"] == i), default=0.0) for i in range(len(row["audios"]))
        )
        self._digests.append(row_digest(logical(row) if seen_as is None else seen_as))

    def done(self) -> dict[str, Any]:
        """Return what a commit record holds."""
        return _summary(self._counts, self._seconds, self._digests)


def summarise(table: pa.Table) -> dict[str, Any]:
    """Return the `Summary` of a shard of samples."""
    summary = Summary()
    for batch in table.to_batches(max_chunksize=64):
        for row in batch.to_pylist():
            summary.add(row)
    return summary.done()


def merge(summaries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the summaries of several shards."""
    counts: dict[str, Counter[str]] = {c: Counter() for c in COUNTED}
    seconds = 0.0
    digests = []
    for s in summaries:
        for c in COUNTED:
            counts[c].update(s[c])
        seconds += s["audio_s"]
        digests.append(bytes.fromhex(s["content_digest"]))
    return _summary(counts, seconds, digests)


def _summary(counts: Mapping[str, Counter[str]], seconds: float, digests: Iterable[bytes]) -> dict[str, Any]:
    out: dict[str, Any] = {c: dict(sorted(n.items())) for c, n in counts.items()}
    return {**out, "audio_s": round(seconds, 3), "content_digest": f"{content_digest(digests):064x}"}
