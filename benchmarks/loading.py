"""Rows a second of `ieat_data.load` and of its peers, from shards of a real size, with and without decoding.

    python benchmarks/loading.py data/sample [--work FOLDER] [--shards 20] [--rounds 4] [--python mds=PYTHON]

The sample's rows are multiplied to shards of 512 rows, and written as a dataset folder, as tars and as MDS. Every
reader gives the same: id, task, language and messages as Python objects, and each clip as FLAC bytes or as float32
samples. Each measurement is a process of its own, which reads its files into the page cache, then all rows once;
rounds are interleaved, and the best of each reader counts. A reader whose library is not installed is left out;
`--python` names another interpreter that has it. Rates are per second of the clock and per second of the CPU (all
threads): on a busy machine the second one says more.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

COLUMNS = ("id", "task", "language", "messages", "audios")
ROWS = 512  # in a shard
LIBRARY = {"ieat": "ieat_data", "ieat shuffled": "ieat_data", "pyarrow": "pyarrow"}
FILES = {"webdataset": "tars", "mds": "mds"}  # the folder of their files; of the others: data/all
LIBRARY |= {"datasets": "datasets", "webdataset": "webdataset", "mds": "streaming"}


def made(sample: Path, work: Path, shards: int) -> None:
    """Write the sample's rows, again and again under other ids, in all forms."""
    import pyarrow as pa

    from ieat_data.dataset.opening import load_manifest, root
    from ieat_data.storage.parts import sha256_file, shard_file, write_parquet

    manifest = load_manifest(sample)
    tables = [shard_file(root(sample, manifest) / s["path"]).read() for s in manifest["shards"]]
    rows = [row for table in tables for row in table.to_pylist()]
    folder, listed, n = work / "data" / "all", [], 0
    for name in ("data/all", "tars"):
        (work / name).mkdir(parents=True)
    for k in range(shards):
        shard = []
        for _ in range(ROWS):
            shard.append({**rows[n % len(rows)], "id": f"{n:032x}"})
            n += 1
        path = folder / f"{k:05d}.parquet"
        write_parquet(path, pa.Table.from_pylist(shard, schema=tables[0].schema))
        about = {"config": "all", "rows": ROWS, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
        listed.append({"path": f"data/all/{path.name}", **about, "content_digest": "0" * 64})
        with tarfile.open(work / "tars" / f"{k:05d}.tar", "w") as tar:
            for row in shard:
                member(tar, f"{row['id']}.json", json.dumps({c: row[c] for c in COLUMNS[:-1]}).encode())
                for i, audio in enumerate(row["audios"]):
                    member(tar, f"{row['id']}.{i}.flac", audio["bytes"])
    configs = {"all": {**next(iter(manifest["configs"].values())), "rows": n}}
    said = {**manifest, "rows": n, "shards": listed, "configs": configs}
    (work / "manifest.json").write_text(json.dumps(said), "utf-8")


def member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    head = tarfile.TarInfo(name)
    head.size = len(data)
    tar.addfile(head, io.BytesIO(data))


def write_mds(work: Path) -> None:
    """From the tars, because streaming has an environment of its own."""
    from streaming import MDSWriter

    if (work / "mds").exists():
        return
    with MDSWriter(out=str(work / "mds"), columns={"row": "json", "sizes": "json", "clips": "bytes"}) as out:
        for tar in sorted((work / "tars").glob("*.tar")):
            for row, clips in in_tar(tar):
                out.write({"row": row, "sizes": [len(c) for c in clips], "clips": b"".join(clips)})


def in_tar(path: Path) -> Iterator[tuple[Any, list[bytes]]]:
    row, clips = None, list[bytes]()
    with tarfile.open(path) as tar:
        for one in tar:
            file = tar.extractfile(one)
            assert file is not None
            if one.name.endswith(".json"):
                if row is not None:
                    yield row, clips
                row, clips = json.loads(file.read()), []
            else:
                clips.append(file.read())
    yield row, clips


def ieat(work: Path, shuffle: int | None = None) -> Iterator[list[bytes]]:
    import ieat_data

    for row in ieat_data.load(work).stream(columns=COLUMNS, shuffle=shuffle):
        yield [a["bytes"] for a in row["audios"]]


def pyarrow(work: Path) -> Iterator[list[bytes]]:
    import pyarrow.parquet as pq

    for path in sorted((work / "data" / "all").glob("*.parquet")):
        for row in pq.read_table(path, columns=list(COLUMNS)).to_pylist():
            yield [a["bytes"] for a in row["audios"]]


def datasets(work: Path) -> Iterator[list[bytes]]:
    from datasets import load_dataset

    files = [str(p) for p in sorted((work / "data" / "all").glob("*.parquet"))]
    options: dict[str, Any] = {"data_files": files, "columns": list(COLUMNS)}
    for row in load_dataset("parquet", split="train", streaming=True, **options):
        yield [a["bytes"] for a in row["audios"]]


def webdataset(work: Path) -> Iterator[list[bytes]]:
    import webdataset as wds

    for row in wds.WebDataset([str(p) for p in sorted((work / "tars").glob("*.tar"))], shardshuffle=False):
        json.loads(row["json"])
        yield [row[k] for k in row if k.endswith(".flac")]


def mds(work: Path) -> Iterator[list[bytes]]:
    from streaming import StreamingDataset

    for row in StreamingDataset(local=str(work / "mds"), shuffle=False, batch_size=1):
        clips, at = row["clips"], 0
        found = []
        for size in row["sizes"]:
            found.append(clips[at : at + size])
            at += size
        yield found


READERS: dict[str, Callable[[Path], Iterator[list[bytes]]]] = {
    "ieat": ieat,
    "ieat shuffled": lambda work: ieat(work, 1),
    "pyarrow": pyarrow,
    "datasets": datasets,
    "webdataset": webdataset,
    "mds": mds,
}


def one(reader: str, work: Path, decode: bool, most: int) -> dict[str, float]:
    """Measure a reader in this process."""
    import soundfile

    if reader == "mds":
        before_torchvision()
        write_mds(work)
    for file in sorted(work.rglob("*.*")):  # into the page cache: what is compared is what readers do
        if file.parent.name == FILES.get(reader, "all"):
            file.read_bytes()
    rows, start, cpu = 0, time.perf_counter(), time.process_time()
    for clips in READERS[reader](work):
        if decode:
            for clip in clips:
                soundfile.read(io.BytesIO(clip), dtype="float32")
        rows += 1
        if rows == 1:
            start, cpu = time.perf_counter(), time.process_time()
        if rows == most:
            break
    return {"wall": (rows - 1) / (time.perf_counter() - start), "cpu": (rows - 1) / (time.process_time() - cpu)}


def before_torchvision() -> None:
    """Without CUDA, torchvision lacks the operators that it registers kernels for."""
    import torch

    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sample", type=Path)
    parser.add_argument("--work", type=Path, help="kept, and used again; else a folder that is deleted")
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--decoded-rows", type=int, default=600, help="rows that are read with decoding")
    parser.add_argument("--python", action="append", default=[], metavar="READER=PYTHON")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--decode", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one, given.work, given.decode, given.decoded_rows if given.decode else 0)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        if not (work / "manifest.json").exists():
            made(given.sample, work, given.shards)
        pythons = dict(p.split("=", 1) for p in given.python)
        readers = [r for r in READERS if r in pythons or importlib.util.find_spec(LIBRARY[r])]
        best: dict[str, dict[str, float]] = {f"{k}, {c}": {} for k in ("undecoded", "decoded") for c in ("wall", "cpu")}
        for _ in range(given.rounds):
            for kind in ("undecoded", "decoded"):
                for reader in readers:
                    line = [pythons.get(reader, sys.executable), __file__, str(given.sample), "--work", str(work)]
                    line += ["--one", reader, "--decoded-rows", str(given.decoded_rows)]
                    line += ["--decode"] * (kind == "decoded")
                    done = subprocess.run(line, capture_output=True, text=True)
                    if done.returncode:
                        sys.exit(f"{reader}: {done.stderr[-2000:]}")
                    for clock, found in json.loads(done.stdout.splitlines()[-1]).items():
                        rates = best[f"{kind}, {clock}"]
                        rates[reader] = max(rates.get(reader, 0.0), found)
        ratios = {kind: {r: round(v / rates["pyarrow"], 2) for r, v in rates.items()} for kind, rates in best.items()}
        print(json.dumps({"rows_per_s": best, "of_pyarrow": ratios}, indent=1))


if __name__ == "__main__":
    main()
