"""Rows a second of `ieat_data.load` and of its peers, from shards of a real size, as stored and decoded.

A composed shard's rows, again and again under other ids, are written as a dataset folder and as tars. All sides read
the same files in turns, out of the page cache. Ours compares the checksum of every page; no other side compares any.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.compare import ROOT, Line, Options, compared
from benchmarks.compose import Corpus
from benchmarks.loading_readers import COLUMNS, READERS
from benchmarks.sides import running
from ieat_data.config import load_pipeline, load_profile
from ieat_data.stages.base import Context
from ieat_data.stages.samples.empathy import Empathy
from ieat_data.storage.parts import sha256_file, write_parquet

OURS, SHUFFLED = "ours", "ours, shuffled"
WORK = {"as-stored": "rows/s loaded, clips as stored", "decoded": "rows/s loaded, clips decoded"}
DECODED_ROWS = 600  # most of the time is the decoder's, alike for all


def measure(options: Options) -> Iterator[Line]:
    """Yield ratios to each peer, and of shuffled rows to those in order."""
    shards, rows = (2, 16) if options.small else (6, 512)
    with tempfile.TemporaryDirectory() as temporary:
        made(Path(temporary), shards, rows)
        for kind, work in WORK.items():
            most = shards * rows if kind == "as-stored" else min(shards * rows, DECODED_ROWS)
            lines: dict[str, list[str | Path]] = {}
            for name in READERS:
                python = sys.executable if name in (OURS, SHUFFLED) else options.peers
                lines[name] = [python, "-m", "benchmarks.loading_readers", temporary, name, str(most), kind]
            with running(lines, Path(temporary)) as sides:
                found = compared(sides, options.rounds)
            for peer in found.seconds:
                if peer not in (OURS, SHUFFLED):
                    yield found.line(work, OURS, peer, "" if peer == "a bare loop" else "≥ 1")
            yield found.line(f"{work}, shuffled", SHUFFLED, "ours", "")
            if options.small:  # each side takes seconds to start
                return


def made(folder: Path, shards: int, rows: int) -> None:
    """Write a dataset folder, and its rows as tars."""
    ctx = Context(load_pipeline("stage1-2"), load_profile("cpu"))
    with tempfile.TemporaryDirectory() as temporary:
        stage = Empathy()
        task, inputs = Corpus(Path(temporary), min(rows, 64), 1).inputs(stage)
        ((_, table),) = stage.run(task, inputs, ctx)
    samples, listed = table.to_pylist(), list[dict[str, Any]]()
    for name in ("data/all", "tars"):
        (folder / name).mkdir(parents=True)
    for k in range(shards):
        numbers = range(k * rows, (k + 1) * rows)
        shard = [{**samples[n % len(samples)], "id": f"{n:032x}"} for n in numbers]
        path = folder / "data" / "all" / f"{k:05d}.parquet"
        write_parquet(path, pa.Table.from_pylist(shard, schema=table.schema))
        about = {"config": "all", "rows": rows, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
        listed.append({"path": f"data/all/{path.name}", **about, "content_digest": "0" * 64})
        with tarfile.open(folder / "tars" / f"{k:05d}.tar", "w") as tar:
            for row in shard:
                _member(tar, f"{row['id']}.json", json.dumps({c: row[c] for c in COLUMNS[:-1]}).encode())
                for i, audio in enumerate(row["audios"]):
                    _member(tar, f"{row['id']}.{i}.flac", audio["bytes"])
    manifest = json.loads((ROOT / "manifests" / "sample.json").read_text("utf-8"))
    configs = {"all": {**next(iter(manifest["configs"].values())), "rows": shards * rows}}
    said = {**manifest, "root": "", "rows": shards * rows, "shards": listed, "configs": configs}
    (folder / "manifest.json").write_text(json.dumps(said), "utf-8")


def _member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    head = tarfile.TarInfo(name)
    head.size = len(data)
    tar.addfile(head, io.BytesIO(data))
