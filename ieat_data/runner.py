"""Runs a plan on Ray: tasks go out as soon as their inputs are committed, the furthest stage first.

Why bare Ray actors and tasks and not Ray Data: one LLM pool serves three stages of the DAG (respond, inject,
inject_dialogues) and another engine calls on it; Ray Data gives each operator its own actors, so the model would be
loaded three times. Backpressure is the number of shards in flight; retries and commits are the shard's (`shards.py`).
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ieat_data.engines.base import NOT_RECORDED
from ieat_data.engines.client import EngineDown
from ieat_data.errors import BuildStopped, UserError
from ieat_data.planner import Node, Plan
from ieat_data.pools import EnginePools, connected, lacking, last_line
from ieat_data.progress import Progress
from ieat_data.stages.base import Task
from ieat_data.worker import Job, RayPool, run_job

TASK_TRIES = 3  # of a task whose worker or engine died: rows are judged inside the stage


@dataclass
class Runner:
    """One build."""

    plan: Plan
    progress: Progress

    def run(self) -> None:
        """Do what is to be done. Raises BuildStopped with what is wrong; everything committed stays."""
        for node in self.plan.nodes.values():
            self._check_rate(node)
        if not any(node.todo for node in self.plan.nodes.values()):
            return
        with connected(self.plan.profile) as ray:
            self._check_resources(ray)
            engines = EnginePools(ray, self.plan.profile, self.progress.note)
            try:
                self._loop(ray, engines)
            finally:
                engines.close()

    def _check_resources(self, ray: Any) -> None:
        roles = {r for node in self.plan.nodes.values() if node.todo for r in node.stage.engines}
        faults = lacking(ray, self.plan.profile, roles) if self.plan.recording is None else []
        if faults and self.plan.profile.ray.address is None:
            raise UserError("\n      ".join(faults))
        for fault in faults:  # a cluster may still grow
            self.progress.note(f"waiting: {fault}")

    def _loop(self, ray: Any, engines: EnginePools) -> None:
        depth = {name: i for i, name in enumerate(self.plan.nodes)}
        waiting: dict[tuple[str, str], int] = {}
        dependents: dict[tuple[str, str], list[Task]] = {}
        ready: list[tuple[int, int, Task]] = []
        order = itertools.count()  # among tasks of one stage: first come, first served

        def push(task: Task) -> None:
            heapq.heappush(ready, (-depth[task.table], next(order), task))

        for node in self.plan.nodes.values():
            for task in node.todo:
                missing = [(owner.name, s) for t, s in task.reads if s not in (owner := self.plan.owner(t, s)).records]
                for key in missing:
                    dependents.setdefault(key, []).append(task)
                waiting[node.name, task.name] = len(missing)
                if not missing:
                    push(task)
        # on the driver's own node: it is not to die with another one
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        meter = ray.remote(num_cpus=0, scheduling_strategy=here)(_Meter).remote()
        remote = ray.remote(num_cpus=0, max_retries=0)(_run_job)
        running: dict[Any, Task] = {}
        tries: Counter[tuple[str, str]] = Counter()

        def finished(node: Node, shards: tuple[str, ...]) -> None:
            for shard in shards:
                for task in dependents.get((node.name, shard), ()):
                    waiting[task.table, task.name] -= 1
                    if waiting[task.table, task.name] == 0:
                        push(task)

        while ready or running:
            while ready and len(running) < self.plan.profile.shards_in_flight:
                _, _, task = heapq.heappop(ready)
                node = self.plan.nodes[task.table]
                if self._committed_before(node, task):
                    finished(node, task.outputs)
                    continue
                self.progress.start(node.name)
                # a recording needs no engine
                pools = {} if self.plan.recording else {r: engines.pool(r) for r in node.stage.engines}
                running[remote.remote(self.plan.job(node, task), pools, meter)] = task
            if not running:
                continue
            done, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
            self.progress.calls(ray.get(meter.read.remote()))
            for ref in done:
                task = running.pop(ref)
                node = self.plan.nodes[task.table]
                try:
                    records = ray.get(ref)
                except Exception as e:
                    tries[task.table, task.name] += 1
                    self._failed(e, task, tries[task.table, task.name])
                    push(task)
                    continue
                node.records.update({r.shard: r for r in records})
                node.table.roll_up()
                self.progress.done(node, records)
                self._check_rate(node)
                finished(node, task.outputs)

    def _committed_before(self, node: Node, task: Task) -> bool:
        """Take a record that was waiting for its inputs to be known, or take back one that is stale."""
        current = self.plan.input_digests(task)
        for shard in task.outputs:
            record = node.found.pop(shard, None)
            if record is not None and record.inputs == current:
                node.records[shard] = record
            elif record is not None:
                node.table.forget(shard)
        return node.done(task)

    def _failed(self, error: Exception, task: Task, tries: int) -> None:
        cause = getattr(error, "cause", None) or error
        if isinstance(cause, UserError):
            raise cause
        log = self.plan.work / "logs" / f"{task.table}-{task.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as f:
            f.write(f"{error}\n")
        died = isinstance(cause, EngineDown) or "Died" in type(error).__name__ or "Crashed" in type(error).__name__
        if not died or tries >= TASK_TRIES:
            raise BuildStopped(
                f"{task.table}/{task.name} failed{f' {tries} times' if tries > 1 else ''}: {last_line(error)} "
                f"(the whole of it: {log}). What is committed stays: mend the cause and start the same command again"
            ) from error

    def _check_rate(self, node: Node) -> None:
        rows = sum(r.rows for r in node.records.values())
        rejects: Counter[str] = Counter()
        for record in node.records.values():
            # what a recording lacks is told at the end, all of it (build.py)
            expected = {*node.stage.expected, NOT_RECORDED}
            rejects.update({k: n for k, n in record.rejects.items() if k not in expected})
        limit = node.stage.settings.max_reject_rate or self.plan.pipeline.max_reject_rate
        bad = sum(rejects.values())
        if rows >= self.plan.pipeline.min_rows_for_rate and bad > limit * rows:
            top = ", ".join(f"{n} {k}" for k, n in rejects.most_common(3))
            raise BuildStopped(
                f"stage {node.name} rejects {bad} of {rows} rows, over the limit of {limit:.0%} ({top}): read "
                f"{node.table.folder}/quarantine-*, or allow more with --set stages.{node.name}.max_reject_rate=…"
            )


class _Meter:
    """Counts the answers that arrive inside running shards, for a progress line that moves."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, table: str, n: int) -> None:
        self.counts[table] = self.counts.get(table, 0) + n

    def read(self) -> dict[str, int]:
        return self.counts


def _run_job(job: Job, pools: dict[str, RayPool], meter: Any) -> Any:
    return run_job(job, pools, lambda table, n: meter.add.remote(table, n))
