"""What one task costs the driver on Ray, and Ray's own processes: real jobs, done by a function that only commits.

    python -m benchmarks.scale.ray_tasks [--tasks 2000] [--in-flight 8] [--replicas 256]

Plan, runner, jobs and executor are the product's, as in `driver.py`. Engines are actors that never start (they ask for
GPUs that are not there), so nobody calls them; but each job carries the pools of its engines. Prints CPU µs for a task:
the driver's, and those of Ray's servers and workers beside it. With `--slots` so many tasks run at once, and the others
in flight wait in Ray; without, all of them run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scale import synthetic_corpora
from benchmarks.scale.driver import Silent, prepared
from benchmarks.scale.simulation import CHUNK
from ieat_data import processes
from ieat_data.execution.job import Job
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.ray_executor import Cluster
from ieat_data.execution.ray_meter import Reports
from ieat_data.execution.runner import Runner
from ieat_data.stages.base import Task
from ieat_data.storage.shards import CommitRecord, Table


def commit(job: Job, pools: Any, meter: Any, folder: Any) -> list[CommitRecord]:
    """Do a task as far as the driver sees it."""
    draw = random.Random(job.task.name)
    with Reports(meter) as reports:
        reports.add(job.task.table, 1)
        made = [synthetic_corpora.record(job.task.table, s, job.inputs, 1000, draw) for s in job.task.outputs]
    for record in made:
        (Table(job.table).folder / record.file).touch()
        Table(job.table)._publish(record)
    return made


SERVERS = ("gcs_server", "raylet")  # of Ray


class Enough(Exception):
    pass


class Driver(Cluster):
    """The product's executor, whose tasks only commit. It stops after `most` tasks, and says what they cost."""

    def __init__(self, plan: Plan, progress: Progress, most: int, slots: int) -> None:
        self.most, self.done, self.cost = most, 0, dict[str, Any]()
        self.in_submit = self.in_wait = 0.0
        super().__init__(plan, progress)
        options = {"num_cpus": 1 if slots else 0, "max_retries": 0, "scheduling_strategy": "SPREAD"}
        self._run_job = self._ray.remote(**options)(commit)
        self._engines._there |= set(self._engines._actors)  # nobody waits for them

    def _check_resources(self, *_: Any) -> None:
        pass

    def submit(self, job: Job) -> None:
        began = time.process_time()
        super().submit(job)
        self.in_submit += time.process_time() - began

    def wait(self) -> Sequence[tuple[Task, list[CommitRecord] | Exception]]:
        began = time.process_time()
        ended = super().wait()
        self.in_wait += time.process_time() - began
        before, self.done = self.done, self.done + len(ended)
        warm = self.most // 4
        if before < warm <= self.done:
            self.begun = self.done, times(), time.monotonic(), self.in_submit, self.in_wait
        if self.done >= self.most:
            self.cost = self._told()
            raise Enough
        return ended

    def _told(self) -> dict[str, Any]:
        done, before, wall, submit, wait = self.begun
        n, now = self.done - done, times()
        each = {who: round((now[who] - before.get(who, 0.0)) / n * 1e6) for who in sorted(now)}
        python = {"submit": round((self.in_submit - submit) / n * 1e6), "wait": round((self.in_wait - wait) / n * 1e6)}
        return {"tasks": n, "wall_us": round((time.monotonic() - wall) / n * 1e6), "cpu_us": each, "driver_us": python}

    def close(self) -> None:
        for actors in self._engines._actors.values():
            for actor in actors.values():
                self._ray.kill(actor)
        self._engines._actors.clear()
        super().close()


def times() -> dict[str, float]:
    """Return CPU seconds so far, by what kind of process it is."""
    found = {"driver": time.process_time()}
    for pid in processes.below(os.getpid()):
        with contextlib.suppress(OSError):  # it has just ended
            name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
            spent = sum(map(int, rest.split()[11:13])) / os.sysconf("SC_CLK_TCK")
            kind = name if name in SERVERS else "workers, others"
            found[kind] = found.get(kind, 0.0) + spent
    return found


def measure(tasks: int, in_flight: int, replicas: int, slots: int) -> Mapping[str, Any]:
    engine = {
        "engine": f"{synthetic_corpora.__name__}:Engine",
        "settings": {"descriptor": "qwen3"},
        "replicas": replicas,
        "num_gpus": 1,
    }
    profile = {"shards_in_flight": in_flight, "engines": dict.fromkeys(CHUNK, engine), "ray": {"num_cpus": slots or 2}}
    with tempfile.TemporaryDirectory(prefix="ieat-ray-", dir="/dev/shm") as folder:
        shards = max(tasks // 8, 100)
        plan = synthetic_corpora.plan(Path(folder) / "work", synthetic_corpora.files(Path(folder), shards, profile))
        prepared(plan)
        kept: list[Driver] = []

        def connect(p: Plan, progress: Progress) -> Driver:
            kept.append(Driver(p, progress, tasks, slots))
            return kept[0]

        with contextlib.suppress(Enough):
            Runner(plan, Silent(plan, live=False), connect).run()
        return {"in_flight": in_flight, "replicas": replicas, "slots": slots, **kept[0].cost}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--tasks", type=int, default=2000)
    args.add_argument("--in-flight", type=int, default=8)
    args.add_argument("--replicas", type=int, default=256, help="of each engine")
    args.add_argument("--slots", type=int, default=0)
    asked = args.parse_args()
    print(json.dumps(measure(**vars(asked))), flush=True)


if __name__ == "__main__":
    main()
