"""The rows of a build's tables in a form that can be compared on any machine and read in a review.

Audio is described, not copied. A clip stored unchanged is identified by its hash. A clip joined here is described by
its length and its level over time: its samples differ in the last bit between kinds of CPU.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import soundfile as sf

from ieat_data.data.audio import AudioError, content_hash, duration
from ieat_data.data.sample import logical
from ieat_data.execution.node import Node

LEVEL_STEP_S = 0.1
_SILENCE_DB = -90.0


def levels(clip: bytes) -> list[float]:
    """Return the RMS level of a lossless clip, one number per 0.1 s, in dBFS rounded to a tenth."""
    with sf.SoundFile(io.BytesIO(clip)) as f:
        samples, step = f.read(dtype="float64", always_2d=True).mean(axis=1), round(LEVEL_STEP_S * f.samplerate)
    found = []
    for at in range(0, len(samples), step):
        power = float(np.mean(np.square(samples[at : at + step])))
        found.append(round(max(10 * np.log10(power), _SILENCE_DB) if power > 0 else _SILENCE_DB, 1))
    return found


def reference_rows(node: Node) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, in the order of its shards."""
    for shard in node.shards:
        if shard in node.records:
            for batch in node.table.read(node.records[shard]).to_batches(max_chunksize=64):
                yield from (reference(row) for row in batch.to_pylist())


def reference(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON: audio described, nulls left out."""
    out = dict(row)
    if "audios" in row:
        described = zip(logical(row)["audios"], row["audios"], strict=True)
        out["audios"] = [
            {"path": p, "seconds": s, "hz": hz, "level_db": levels(a["bytes"])} for (p, s, hz), a in described
        ]
    elif row.get("audio") is not None:
        out["audio"] = _clip(row["audio"])
    cleaned: dict[str, Any] = _without_nulls(out)
    return cleaned


def _clip(audio: bytes) -> dict[str, Any]:
    try:
        seconds, rate = duration(audio)
    except AudioError:
        seconds, rate = 0.0, 0
    return {"sha256": content_hash(audio), "seconds": seconds, "hz": rate}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
