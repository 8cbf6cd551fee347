"""A hundred thousand samples: memory does not grow with their number, and a page stays made of small files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ieat_data.data.schema import SAMPLES
from ieat_data.storage.parts import write_parquet
from tests.apps.report.read import arguments, summary

_MEASURE = """
import json, resource, sys
from pathlib import Path
from ieat_data.apps.report.view import finished
from ieat_data.apps.report.write import write
write(finished(Path(sys.argv[1])), Path(sys.argv[2]), audio=200)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
Folder = Callable[[int], Path]


@pytest.fixture(scope="module")
def folder_of(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Folders of so many samples: one shard of 500 real ones, under as many names as are wanted."""
    made = json.loads((built / "manifest.json").read_text())
    rows = [r for s in made["shards"] for r in pq.read_table(built / s["path"]).to_pylist()]
    rows = [{**rows[i % len(rows)], "id": f"{i:032x}"} for i in range(500)]
    shard = tmp_path_factory.mktemp("shard") / "a.parquet"
    write_parquet(shard, pa.Table.from_pylist(rows, schema=SAMPLES))

    def make(n: int) -> Path:
        out = tmp_path_factory.mktemp("large")
        (out / "data").mkdir()
        shards = [{"config": "stage1_2_empathy", "path": f"data/{i}.parquet"} for i in range(n // 500)]
        for s in shards:
            os.link(shard, out / s["path"])
        (out / "manifest.json").write_text(json.dumps({**made, "rows": n, "shards": shards}))
        return out

    return make


def peak_mb(folder: Path, report: Path) -> int:
    """Of a process that writes the report of `folder`."""
    done = subprocess.run([sys.executable, "-c", _MEASURE, folder, report], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.slow
def test_a_hundred_thousand_samples(folder_of: Folder, tmp_path: Path) -> None:
    small = peak_mb(folder_of(5_000), tmp_path / "small")
    large = peak_mb(folder_of(100_000), tmp_path / "large")
    assert large - small < 60, f"{small} MB for 5,000 samples, {large} MB for 100,000"
    assert summary(tmp_path / "large")["lists"]["samples"]["rows"] == 100_000
    pages = sorted((tmp_path / "large" / "data" / "samples").glob("page-*.js"))
    index = sorted((tmp_path / "large" / "data" / "samples").glob("index-*.js"))
    assert (len(pages), len(index)) == (2500, 20)
    assert max(p.stat().st_size for p in pages) < 1_000_000
    assert max(p.stat().st_size for p in index) < 3_000_000
    assert (tmp_path / "large" / "data" / "report.js").stat().st_size < 100_000
    last = arguments(pages[-1])[2][-1]
    assert last["id"] == f"{499:032x}"
    heard = sum(sum(arguments(p)[2]["audio"]) for p in index)
    assert heard == 200
