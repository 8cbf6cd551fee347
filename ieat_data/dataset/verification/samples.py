"""Are the samples of a shard sound? References, spans and clips; with `deep`, every clip decoded to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from ieat_data.data.audio import AudioError
from ieat_data.data.audio_length import hear
from ieat_data.data.sample import Summary, logical
from ieat_data.data.thoughts import fault as think_fault

_SLACK_S = 1e-3
_LONGEST_S = 24 * 3600.0


def check(table: pa.Table, seen: set[str], deep: bool, fault: Callable[[str], None]) -> Mapping[str, Any] | None:
    """Check every row of a shard.

    Args:
        table: the shard's rows.
        seen: the ids of all shards so far; those of this one are added.
        deep: decode every clip.
        fault: called for each fault with a line.

    Returns:
        The shard's summary, as `data.sample.summarise` makes it; None if a row cannot be read.
    """
    summary, whole = Summary(), True
    for batch in table.to_batches(max_chunksize=64):
        for row in batch.to_pylist():
            if row["id"] in seen:
                fault(f"{row['id']}: this id appears twice")
            seen.add(row["id"])
            try:
                seen_as = logical(row)
                for found in (*_sample(row, [a[1] for a in seen_as["audios"]]), *(_decoded(row) if deep else ())):
                    fault(f"{row['id']}: {found}")
                summary.add(row, seen_as)
            except AudioError as e:
                fault(f"{row['id']}: a clip cannot be read: {e}")
                whole = False
            except (AttributeError, KeyError, TypeError, ValueError) as e:
                fault(f"{row['id']}: not a sample: {e}")
                whole = False
    return summary.done() if whole else None


def _sample(row: Mapping[str, Any], lengths: list[float]) -> Iterator[str]:
    """Check that the references inside a sample are valid. `lengths`: of its clips, in seconds."""
    for m in row["messages"]:
        if m["audio"] is not None and not 0 <= m["audio"] < len(lengths):
            yield f"a message points to audio {m['audio']} of {len(lengths)}"
        if m["role"] == "assistant" and not m["content"].strip():
            yield "an empty reply"
        if m["think"] is not None and (wrong := think_fault(m["think"], m["think_spans"])):
            yield wrong
    for i in sorted(set(range(len(lengths))) - {m["audio"] for m in row["messages"]}):
        yield f"no message points to audio {i}"
    for s in row["spans"]:
        if not 0 <= s["audio"] < len(lengths) or not 0 <= s["start_s"] <= s["end_s"] <= lengths[s["audio"]] + _SLACK_S:
            yield f"a span ({s['kind']}) lies outside its audio"
    if row["n_turns"] != sum(m["role"] == "user" and m["kind"] != "question" for m in row["messages"]):
        yield "n_turns is not the number of the user's turns"
    known = {u["utterance"] for u in row["provenance"]["utterances"]}
    if any(s["kind"] == "utterance" and s["ref"] not in known for s in row["spans"]):
        yield "a span refers to an utterance that provenance does not name"
    if not any(m["train"] for m in row["messages"]):
        yield "no message carries a loss"


def _decoded(row: Mapping[str, Any]) -> Iterator[str]:
    """Decode each clip to its end: it has the samples that its header and the sample's spans promise."""
    for i, audio in enumerate(row["audios"]):
        try:
            seconds = hear(audio["bytes"], _LONGEST_S).seconds
        except AudioError as e:
            yield f"audio {i}: {e}"
            continue
        ends = max((s["end_s"] for s in row["spans"] if s["audio"] == i), default=0.0)
        if ends > seconds + _SLACK_S:
            yield f"audio {i}: decodes to {seconds:.2f} s, its spans end at {ends:.2f} s"
