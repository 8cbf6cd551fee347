"""`ieat verify`: does an output folder match its manifest? Reads every shard again and checks every row.

No byte is interpreted before its hash is right, and a fault of any kind is one line (`verification/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.data import schema
from ieat_data.data.sample import digest
from ieat_data.dataset.opening import MANIFEST, load_manifest, manifest_digest, root
from ieat_data.dataset.verification.folder import card_faults, croissant_faults, strays
from ieat_data.dataset.verification.samples import check
from ieat_data.dataset.verification.totals import totals
from ieat_data.dataset.verification.words import differs, first_line
from ieat_data.dataset.verification.work import work_faults
from ieat_data.errors import UserError
from ieat_data.storage.open import at
from ieat_data.storage.parts import shard_file


def samples(out: Path) -> Iterator[dict[str, Any]]:
    """Yield every sample of an output folder, in the order of its shards, a few rows in memory at a time."""
    made = load_manifest(out)
    folder = root(out, made)
    for shard in made["shards"]:
        with shard_file(folder / shard["path"]).open() as file:
            for batch in file.iter_batches(batch_size=64):
                yield from batch.to_pylist()


def content_digest(out: Path) -> str:
    """Return the content digest of the logical rows on disk, 64 hex digits."""
    return digest(samples(out))


def verify(out: Path, deep: bool = False, work: Path | None = None, repair: bool = False) -> list[str]:
    """Check a dataset folder against its manifest, whatever bytes stand there.

    Args:
        out: the folder, or a manifest elsewhere that leads there.
        deep: decode every clip to its end.
        work: a work folder that is checked, too.
        repair: delete damaged shards and parts: the build that made them makes them again.

    Returns:
        One line per fault; an empty list if the folder is sound.

    Raises:
        UserError: there is no manifest.
    """
    path = out / MANIFEST if out.is_dir() else out
    try:
        made = load_manifest(out)
    except UserError as e:
        if not path.exists():
            raise
        return [str(e)]
    folder = root(out, made)
    faults: list[str] = []
    if made.get("digest") != manifest_digest(made):
        faults.append(f"{path.name}: changed since it was written (digest): build again, or take it from where it came")
    faults += strays(folder, made)
    faults += card_faults(folder, made)
    faults += croissant_faults(folder, made)
    seen: set[str] = set()
    summaries: dict[str, list[Mapping[str, Any]]] = {}
    broken: set[str] = set()  # configs with a shard that cannot be counted
    for shard in made["shards"]:
        summary = _shard(folder, shard, seen, deep, faults)
        if summary is None:
            broken.add(shard["config"])
            if repair:
                (folder / shard["path"]).unlink(missing_ok=True)
        else:
            summaries.setdefault(shard["config"], []).append(summary)
    if not broken:
        faults += totals(made, summaries)
    if work is not None:
        faults += work_faults(at(work), made, repair)
    return faults


def _shard(
    folder: Path, shard: Mapping[str, Any], seen: set[str], deep: bool, faults: list[str]
) -> Mapping[str, Any] | None:
    """Check a shard; add its faults. Return its summary with its number of rows, or None if it cannot be counted."""
    said = faults.append
    try:
        if (wrong := differs(folder / shard["path"], shard["bytes"], shard["sha256"])) is not None:
            said(f"{shard['path']}: {wrong}")
            return None
        with pq.ParquetFile(folder / shard["path"]) as file:
            if not file.schema_arrow.equals(schema.SAMPLES):
                said(f"{shard['path']}: not the sample schema")
                return None
            table = file.read()
    except (OSError, pa.ArrowException) as e:
        said(f"{shard['path']}: cannot be read: {first_line(e)}")
        return None
    if len(table) != shard["rows"]:
        said(f"{shard['path']}: {len(table)} rows, the manifest says {shard['rows']}")
    summary = check(table, seen, deep, lambda line: said(f"{shard['path']}: {line}"))
    if summary is None:
        return None
    if summary["content_digest"] != shard["content_digest"]:
        said(f"{shard['path']}: content digest differs")
    return {**summary, "rows": len(table)}
