"""`ieat verify`: does an output folder match its manifest? Reads every shard again and checks every row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.data import schema
from ieat_data.data.audio import AudioError, duration
from ieat_data.data.sample import COUNTED, digest, merge, summarise
from ieat_data.dataset.manifest import MANIFEST
from ieat_data.errors import UserError
from ieat_data.storage.shards import sha256_file

_SLACK_S = 1e-3


def load_manifest(out: Path) -> dict[str, Any]:
    """Return the manifest of an output folder, or one elsewhere that leads there by its `root`.

    Raises:
        UserError: there is none, or it is another version's.
    """
    path = out / MANIFEST if out.is_dir() else out
    try:
        made = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{out}: holds or is no {MANIFEST}: not an output folder, or its build has not ended") from None
    except ValueError as e:
        raise UserError(f"{path}: not JSON: {e}") from None
    if not isinstance(made, dict) or made.get("schema_version") != schema.VERSION:
        raise UserError(f"{path}: not a manifest of schema version {schema.VERSION}")
    for shard in made["shards"]:
        inside = Path(shard["path"])
        if inside.is_absolute() or ".." in inside.parts:
            raise UserError(f"{path}: the shard {shard['path']!r} lies outside the folder")
    return made


def root(out: Path, made: Mapping[str, Any]) -> Path:
    """Return the output folder of a manifest: `out` itself, or where a manifest file leads."""
    return out if out.is_dir() else out.parent / made.get("root", "")


def samples(out: Path) -> Iterator[dict[str, Any]]:
    """Yield every sample of an output folder, in the order of its shards, a few rows in memory at a time."""
    made = load_manifest(out)
    folder = root(out, made)
    for shard in made["shards"]:
        for batch in pq.ParquetFile(folder / shard["path"]).iter_batches(batch_size=64):
            yield from batch.to_pylist()


def content_digest(out: Path) -> str:
    """Return the content digest of the logical rows on disk, 64 hex digits."""
    return digest(samples(out))


def verify(out: Path) -> list[str]:
    """Return one line per fault; an empty list if the folder is intact."""
    made = load_manifest(out)
    out = root(out, made)
    faults: list[str] = []
    seen: set[str] = set()
    summaries = []
    listed = {s["path"] for s in made["shards"]}
    for path in sorted((out / "data").rglob("*.parquet")):
        if path.relative_to(out).as_posix() not in listed:
            faults.append(f"{path.relative_to(out)}: not named by the manifest")
    for shard in made["shards"]:
        path = out / shard["path"]
        if not path.is_file():
            faults.append(f"{shard['path']}: missing")
            continue
        if path.stat().st_size != shard["bytes"] or sha256_file(path) != shard["sha256"]:
            faults.append(f"{shard['path']}: its bytes differ from the committed ones (sha256)")
            continue
        found = pq.read_table(path)
        if not found.schema.equals(schema.SAMPLES):
            faults.append(f"{shard['path']}: not the sample schema")
            continue
        faults += [f"{shard['path']}: {fault}" for fault in _rows(found, shard, seen)]
        summary = summarise(found)
        summaries.append(summary)
        if summary["content_digest"] != shard["content_digest"]:
            faults.append(f"{shard['path']}: content digest differs")
    if not faults:
        total = merge(summaries)
        faults += [
            f"counts.{c}: the manifest says {made['counts'][c]}, the shards hold {total[c]}"
            for c in COUNTED
            if total[c] != made["counts"][c]
        ]
        if total["content_digest"] != made["content_digest"]:
            faults.append("content_digest: the manifest's differs from the shards'")
        if made["rows"] != len(seen):
            faults.append(f"rows: the manifest says {made['rows']}, the shards hold {len(seen)}")
    return faults


def _rows(table: pa.Table, shard: dict[str, Any], seen: set[str]) -> Iterator[str]:
    if len(table) != shard["rows"]:
        yield f"{len(table)} rows, the manifest says {shard['rows']}"
    for batch in table.to_batches(max_chunksize=64):
        for row in batch.to_pylist():
            if row["id"] in seen:
                yield f"{row['id']}: this id appears twice"
            seen.add(row["id"])
            yield from (f"{row['id']}: {fault}" for fault in _sample(row))


def _sample(row: dict[str, Any]) -> Iterator[str]:
    """Check that the references inside a sample are valid."""
    lengths = []
    for i, audio in enumerate(row["audios"]):
        try:
            lengths.append(duration(audio["bytes"] or b"")[0])
        except AudioError as e:
            lengths.append(0.0)
            yield f"audio {i}: {e}"
    for m in row["messages"]:
        if m["audio"] is not None and not 0 <= m["audio"] < len(lengths):
            yield f"a message points to audio {m['audio']} of {len(lengths)}"
        if m["role"] == "assistant" and not m["content"].strip():
            yield "an empty reply"
        if m["think"] is not None and not 0 < (m["injected_chars"] or 0) < len(m["think"]):
            yield "a think body without a continuation of the injected one"
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
