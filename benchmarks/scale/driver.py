"""The driver of a build at the size of real use, with engines that only take (virtual) time.

    python -m benchmarks.scale.driver [--shards 50000] [--gpus 256] [--in-flight 512] [--work /dev/shm]

The plan, the tables, the commit records and the runner are the product's (`synthetic_corpora.py`); only the executor is
simulated (`simulation.py`): virtual time, one node in fifty dies each hour, and what Ray adds, as `ray_tasks.py`
measures it. It makes no rows and writes no Parquet files, but it does write the commit records. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.scale import synthetic_corpora
from benchmarks.scale.simulation import CHUNK, COST, DRIVER_S, HOUR, NODE_GPUS, Simulation
from ieat_data.dataset.manifest import make as make_manifest
from ieat_data.execution.job import Job
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.runner import Runner


class Operations:
    """Counts what is asked of the file system by the Python calls that ask it."""

    EVENTS = frozenset(("open", *(f"os.{x}" for x in ("listdir", "scandir", "rename", "link", "remove", "mkdir"))))

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.on = False
        sys.addaudithook(self._hook)
        real = os.stat

        def stat(*args: Any, **kwargs: Any) -> os.stat_result:  # stat raises no audit event
            self.counts["stat"] += self.on
            return real(*args, **kwargs)

        os.stat = stat

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and event in self.EVENTS:
            self.counts[event.removeprefix("os.")] += 1

    @contextlib.contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        self.counts = Counter()
        self.on = True
        yield self.counts
        self.on = False


class Silent(Progress):
    def _say(self, text: str) -> None:
        pass


def rss_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def gpu_seconds(plan: Plan) -> dict[str, float]:
    """The work of each engine, of a whole build."""
    total: Counter[str] = Counter()
    for name, node in plan.nodes.items():
        n = len(node.tasks)
        if name == "transcribe":
            n = len(plan.nodes["ingest"].tasks)
        for role, (requests, each) in COST[name][1].items():
            total[role] += n * requests * each  # type: ignore[assignment]
    return dict(total)


def sized(work: Mapping[str, float], gpus: int) -> dict[str, int]:
    """GPUs for each engine: a tenth more than their share for those that feed the LLM, the others for the LLM."""
    pools = {r: math.ceil(1.1 * gpus * s / sum(work.values())) for r, s in work.items() if r != "llm"}
    return {**pools, "llm": gpus - sum(pools.values())}


def megabytes(paths: Iterator[Path]) -> float:
    return round(sum(p.stat().st_size for p in paths) / 1e6, 1)


def prepared(plan: Plan) -> None:
    """What a build does before its first task (`build.make_tables`)."""
    plan.persist()
    for node in plan.nodes.values():
        node.table.sweep(node.kept)


def resume(work: Path, paths: tuple[str, str]) -> dict[str, Any]:
    """From the start of a build that goes on until its first task goes out. In a process of its own."""

    class Asked(Exception):
        pass

    class First(Simulation):
        def submit(self, job: Job) -> None:
            raise Asked

    operations = Operations()
    began, wall = time.process_time(), time.monotonic()
    with operations.counting() as counts:
        plan = synthetic_corpora.plan(work, paths)
        prepared(plan)
        with contextlib.suppress(Asked):
            Runner(plan, Silent(plan, live=False), lambda p, _: First(NODE_GPUS, {}, 1.0)).run()
    return {
        "record_files": sum(1 for _ in work.rglob("records/*")),
        "records": sum(len(n.records) for n in plan.nodes.values()),
        "tasks_left": sum(len(n.todo) for n in plan.nodes.values()),
        "cpu_s": round(time.process_time() - began, 1),
        "wall_s": round(time.monotonic() - wall, 1),
        "file_operations": dict(counts),
        "at_5_ms_each_s": round(sum(counts.values()) * 0.005, 1),
        "peak_mb": peak_mb(),
    }


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--shards", type=int, default=50_000)
    args.add_argument("--gpus", type=int, default=256)
    args.add_argument("--in-flight", type=int, default=512)
    args.add_argument("--deaths", type=float, default=0.02, help="of a node, an hour")
    args.add_argument("--driver-ms", type=float, default=DRIVER_S * 1000, help="of the driver on Ray, a task")
    args.add_argument("--work", type=Path, default=Path("/dev/shm"), help="memory, so that fsync costs nothing")
    asked = args.parse_args()
    with tempfile.TemporaryDirectory(prefix="ieat-scale-", dir=asked.work) as folder:
        print(json.dumps(measure(Path(folder), asked), indent=1))


def measure(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    engine = {"engine": f"{synthetic_corpora.__name__}:Engine", "settings": {"descriptor": "qwen3"}}
    profile = {"shards_in_flight": asked.in_flight, "engines": dict.fromkeys(CHUNK, engine)}
    paths = synthetic_corpora.files(folder, asked.shards, profile)
    out: dict[str, Any] = {"shards": asked.shards, "gpus": asked.gpus, "in_flight": asked.in_flight}

    began = time.process_time()
    plan = synthetic_corpora.plan(folder / "work", paths)
    out["plan"] = {"cpu_s": round(time.process_time() - began, 1), "rss_mb": rss_mb()}
    out["tasks"] = sum(len(n.tasks) for n in plan.nodes.values())
    began = time.process_time()
    prepared(plan)
    out["plan"] |= {
        "persist_cpu_s": round(time.process_time() - began, 1),
        "plan_json_mb": megabytes(folder.rglob("plan.json")),
    }

    work = gpu_seconds(plan)
    pools = sized(work, asked.gpus)
    stops = {percent: folder / f"at-{percent}" for percent in (50, 99)}

    def keep(at: Path) -> Callable[[], None]:
        """The work folder as it is then; roll-ups are replaced, never changed, so that links will do."""

        def copy() -> None:
            shutil.copytree(folder / "work", at, copy_function=os.link)

        return copy

    stopping = {out["tasks"] * percent // 100: keep(at) for percent, at in stops.items()}
    executor = Simulation(asked.gpus, pools, asked.deaths, stopping, driver_s=asked.driver_ms / 1000)
    began, wall = time.process_time(), time.monotonic()
    Runner(plan, Silent(plan, live=False), lambda p, _: executor).run()
    spent = time.process_time() - began
    ideal = sum(work.values()) / asked.gpus
    out["run"] = {
        "tasks_started": executor.tasks,
        "overhead_us_a_task": round((spent - executor.cpu_s) / executor.tasks * 1e6),
        "driver_cpu_s": round(spent - executor.cpu_s, 1),
        "simulation_cpu_s": round(executor.cpu_s, 1),
        "wall_s": round(time.monotonic() - wall, 1),
        "ray_driver": {
            "ms_a_task": asked.driver_ms,
            "busy": round(executor.driver_busy / executor.now, 4),
            "most_behind_s": round(executor.most_behind, 2),
            "tasks_a_second": round(executor.tasks / executor.now, 2),
            "tasks_a_second_in_the_busiest_minute": round(max(executor.minutes.values()) / 60, 1),
        },
        "peak_mb": peak_mb(),
        "pools": pools,
        "node_deaths": executor.deaths,
        "tasks_that_died": executor.failed,
        "makespan_h": round(executor.now / HOUR, 2),
        "ideal_h": round(ideal / HOUR, 2),
        "pools_bound_h": round(max(work[r] / n for r, n in pools.items()) / HOUR, 2),  # GPUs are whole
        "makespan_to_ideal": round(executor.now / ideal, 3),
        "busy": {r: round(s / (executor.now * pools[r]), 3) for r, s in executor.busy.items()},
    }
    out["records"] = {
        "count": sum(len(n.records) for n in plan.nodes.values()),
        "mb": megabytes((folder / "work").rglob("records/*")),
        "files": sum(1 for _ in (folder / "work").rglob("records/*")),
    }
    began = time.process_time()
    files = {n.name: [(f"data/{n.name}/{s}.parquet", n.records[s]) for s in n.shards] for n in plan.configs}
    manifest = json.dumps(_manifest(plan, files), indent=1)
    out["manifest"] = {"mb": round(len(manifest) / 1e6, 1), "cpu_s": round(time.process_time() - began, 1)}
    began = time.process_time()
    json.loads(manifest)
    out["manifest"]["load_cpu_s"] = round(time.process_time() - began, 1)
    del manifest, files, plan
    for percent, at in {**stops, 100: folder / "work"}.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            out[f"resume_at_{percent}_percent"] = pool.apply(resume, (at, paths))
    return out


def _manifest(plan: Plan, files: Mapping[str, Any]) -> dict[str, Any]:
    from ieat_data.stages.speech.speakers import Speakers

    Speakers.describe = lambda *_: []  # type: ignore[method-assign] # they are rows
    return make_manifest(plan, files, read_samples=False)


if __name__ == "__main__":
    main()
