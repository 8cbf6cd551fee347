"""Corpora at their size: an Emilia archive of 100 GB and a BELLE array of 5 GB, planned and read in part.

    python -m benchmarks.scale.readers [--tar-gb 100] [--json-gb 5] [--work FOLDER]

The archive is sparse: true headers and true JSON, and holes where the audio would be. The array is all there. Both are
deleted in the end. Prints one JSON object: times, and the peak of memory against what the process had before.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import random
import resource
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ieat_data.corpora.belle import BelleReader
from ieat_data.corpora.emilia import EmiliaReader
from ieat_data.corpora.io.base import BadRecord, Reader

CLIP_BYTES = 256 << 10
ROWS = 512  # in a unit
BLOCK = 512


def sparse_tar(path: Path, size: int) -> int:
    """An archive of about `size` bytes; gives the number of clips."""
    with path.open("wb") as f:
        for n in itertools.count():
            if f.tell() >= size:
                f.truncate(f.tell() + 2 * BLOCK)
                return n
            key = f"EN_B{n // 100_000:05d}_S{n // 100:05d}_W{n:06d}"
            said = {"id": key, "wav": f"{key}.mp3", "text": "So that was what they said. " * 6, "duration": 9.1}
            meta = json.dumps({**said, "speaker": key[:16], "language": "en", "dnsmos": 3.2}).encode()
            f.write(_header(f"{key}.json", len(meta)) + meta + bytes(-len(meta) % BLOCK))
            f.write(_header(f"{key}.mp3", CLIP_BYTES))
            f.seek(CLIP_BYTES, 1)  # a hole; a multiple of the block
    raise AssertionError


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def json_array(path: Path, size: int) -> int:
    """One array of about `size` bytes, as BELLE has them; gives the number of records."""
    draw = random.Random(0)
    answers = ["".join(chr(draw.randint(0x4E00, 0x9FA5)) for _ in range(400)) + '"{[\\n' for _ in range(64)]
    with path.open("wb") as f:
        f.write(b"[")
        written = 0
        for n in itertools.count():
            turns = [{"from": "human", "value": f"第{n}个问题，最近总是睡不好，该怎么办？"}]
            turns.append({"from": "assistant", "value": answers[n % len(answers)]})
            record = json.dumps({"id": str(n), "conversations": turns}, ensure_ascii=False)
            written += f.write(f"{',' if n else ''}\n{record}".encode())
            if written >= size:
                f.write(b"\n]\n")
                return n + 1
    raise AssertionError


def measure(reader: Callable[[Path, str], Reader], root: Path, language: str) -> dict[str, Any]:
    found = reader(root, language)
    before = _peak_mb()
    began, wall = time.process_time(), time.monotonic()
    units = list(found.plan(ROWS))
    out = {
        "units": len(units),
        "records": sum(u.rows for u in units),
        "plan_cpu_s": round(time.process_time() - began, 1),
        "plan_wall_s": round(time.monotonic() - wall, 1),
        "plan_memory_mb": _peak_mb() - before,
    }
    chosen = [units[0], units[len(units) // 2], units[-1]]
    began, wall = time.process_time(), time.monotonic()
    records = 0
    for record in _read(found, chosen):
        assert not isinstance(record, BadRecord), record.message
        records += 1
    return {
        **out,
        "read_units": "first, middle, last",
        "read_records": records,
        "read_cpu_s": round(time.process_time() - began, 2),
        "read_wall_s": round(time.monotonic() - wall, 2),
        "memory_mb": _peak_mb() - before,
        "process_mb": before,
    }


def _read(reader: Reader, units: list[Any]) -> Iterator[Any]:
    for unit in units:
        yield from reader.read(unit)


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--tar-gb", type=float, default=100)
    args.add_argument("--json-gb", type=float, default=5)
    args.add_argument("--work", type=Path, default=None)
    asked = args.parse_args()
    kinds: dict[str, tuple[Any, ...]] = {
        "emilia": (asked.tar_gb, "EN-B000000.tar", sparse_tar, EmiliaReader, "en"),
        "belle": (asked.json_gb, "train_3.5M_CN.json", json_array, BelleReader, "zh"),
    }
    out = {}
    for name, (gb, file, write, reader, language) in kinds.items():
        with tempfile.TemporaryDirectory(prefix="ieat-readers-", dir=asked.work) as folder:
            path = Path(folder) / file
            made = write(path, int(gb * 1e9))
            stat = path.stat()
            out[name] = {"gb": round(stat.st_size / 1e9, 2), "gb_on_disk": round(stat.st_blocks * 512 / 1e9, 2)}
            with multiprocessing.get_context("spawn").Pool(1) as pool:  # for its peak of memory
                out[name] |= pool.apply(measure, (reader, Path(folder), language))
            assert out[name]["records"] == made
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
