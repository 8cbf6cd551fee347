"""A build that goes on whose commit records lie in a bucket: requests, seconds and bytes until its first task.

    python -m benchmarks.scale.records [--shards 15000] [--latency-ms 30] [--work /dev/shm]

Plan, tables and records are the product's (`synthetic_corpora.py`): every shard of every table is committed (15,000
shards of utterances make 203,000 records in all), and rolled up as a build does it. The bucket is a folder behind a
server on this machine, which waits before each answer (`slow_bucket.py`). Parts are holes: nobody reads them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.scale import slow_bucket, synthetic_corpora
from benchmarks.scale.driver import peak_mb
from benchmarks.scale.simulation import CHUNK
from ieat_data.execution.plan import Plan
from ieat_data.storage.open import at
from ieat_data.storage.shards import ROLLUP_AT, Table


def committed(plan: Plan) -> int:
    """Commit all that a plan holds, in its order; return the number of records."""
    plan.persist()
    draw, count = random.Random(0), 0
    for node in plan.nodes.values():
        loose = 0
        for task in node.tasks:
            inputs = plan.input_digest(task) or ""
            made = [synthetic_corpora.record(node.name, s, inputs, 1000, draw) for s in task.outputs]
            for record in node.add(made):
                _write(node.table, record)
                loose += 1
            if loose >= ROLLUP_AT:
                node.table.roll_up()
                loose = 0
        count += len(node.records)
    return count


def _write(table: Table, record: Any) -> None:
    with (table.folder / record.file).open("wb") as part:
        part.truncate(record.bytes)  # a hole of that size
    if record.quarantine:
        (table.folder / record.quarantine).touch()
    assert table._publish(record)


def going_on(url: str, paths: tuple[str, str], where: str) -> dict[str, Any]:
    """What a build does before its first task (`building.make_tables`). In a process of its own."""
    steps: dict[str, Any] = {}

    def step(name: str, began: tuple[float, float]) -> tuple[float, float]:
        wall, cpu = time.monotonic(), time.process_time()
        spent = {"wall_s": round(wall - began[0], 1), "cpu_s": round(cpu - began[1], 1)}
        steps[name] = spent | slow_bucket.asked(url)
        return time.monotonic(), time.process_time()

    began = time.monotonic(), time.process_time()
    plan = synthetic_corpora.plan(at(f"{where}/work"), paths)
    began = step("plan", began)
    plan.check_outputs()
    began = step("check_outputs", began)
    list(plan.work.at_once(lambda node: node.table.sweep(node.kept), plan.nodes.values()))
    began = step("sweep", began)
    steps["peak_mb"] = peak_mb()
    steps["records"] = sum(len(n.records) for n in plan.nodes.values())
    steps["tasks_left"] = sum(len(n.todo) for n in plan.nodes.values())
    return steps


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--shards", type=int, default=15_000)
    args.add_argument("--latency-ms", type=float, default=30.0, help="of each request, assumed")
    args.add_argument("--work", type=Path, default=Path("/dev/shm"), help="memory, so that fsync costs nothing")
    asked = args.parse_args()
    engine = {"engine": f"{synthetic_corpora.__name__}:Engine", "settings": {"descriptor": "qwen3"}}
    with tempfile.TemporaryDirectory(prefix="ieat-records-", dir=asked.work) as temporary:
        folder = Path(temporary)
        paths = synthetic_corpora.files(folder, asked.shards, {"engines": dict.fromkeys(CHUNK, engine)})
        count = committed(synthetic_corpora.plan(folder / "bucket" / "work", paths))
        out: dict[str, Any] = {"shards": asked.shards, "latency_ms": asked.latency_ms, "committed": count}
        spawn = multiprocessing.get_context("spawn")
        with slow_bucket.bucket(folder / "bucket", asked.latency_ms / 1000) as url, spawn.Pool(1) as pool:
            out |= pool.apply(going_on, (url, paths, f"s3://{slow_bucket.BUCKET}"))
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
