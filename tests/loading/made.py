"""Dataset folders of tiny shards, made in a moment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.data.schema import SAMPLES, VERSION
from ieat_data.dataset.opening import manifest_digest
from ieat_data.storage.parts import sha256_file
from tests.dataset.export.dialogues import WRITTEN, reply, sample, user

DIGEST = "0" * 64
COUNTED: dict[str, Any] = {k: {} for k in ("task", "language", "n_turns", "emotion", "transition")}


@cache
def dialogue() -> dict[str, Any]:
    """Two turns, both trained, each with a clip and a thought."""
    return sample(user(0), reply(0, True, WRITTEN), user(1), reply(1, True, WRITTEN), seconds=0.05)


def dataset(folder: Path, configs: dict[str, Sequence[int]], group: int = 4) -> Path:
    """Write a dataset: the number of rows of each shard of each config. Ids count, with the config's first letter."""
    shards = []
    for config, rows in configs.items():
        n = 0
        for k, count in enumerate(rows):
            path = folder / "data" / config / f"part-{k}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            made = [{**dialogue(), "id": f"{config[0]}{i:04d}"} for i in range(n, n + count)]
            table = pa.Table.from_pylist(made, schema=SAMPLES)
            pq.write_table(
                table, path, row_group_size=group, compression="none", use_dictionary=False, write_page_checksum=True
            )
            about = {"path": str(path.relative_to(folder)), "config": config, "rows": count}
            about |= {"bytes": path.stat().st_size, "sha256": sha256_file(path), "content_digest": DIGEST}
            shards.append(about)
            n += count
    listed = {
        c: {"rows": sum(rows), "audio_s": 0.0, "content_digest": DIGEST, **COUNTED} for c, rows in configs.items()
    }
    said: dict[str, Any] = {
        "schema_version": VERSION,
        "name": "made",
        "content_digest": DIGEST,
        "rows": sum(c["rows"] for c in listed.values()),
        "counts": COUNTED,
        "audio_s": 0.0,
        "configs": listed,
        "shards": shards,
        "stages": {},
    }
    said["digest"] = manifest_digest(said)
    (folder / "manifest.json").write_text(json.dumps(said), "utf-8")
    return folder


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]
