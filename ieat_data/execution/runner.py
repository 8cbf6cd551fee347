"""Runs a plan: tasks start as soon as their inputs are committed, those of the furthest stage first.

Backpressure is the number of shards in flight. They are divided evenly among the engines that have work: otherwise
those waiting for the slowest engine would take all places and leave the other engines idle. Retries and commits are the
shard's (`storage/shards.py`). An `Executor` runs the tasks: Ray (`ray_executor.py`), or this process (`local.py`) for a
few records, or if a recording answers. The driver holds commit records, never rows, and its work per task does not grow
with the number of tasks.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from ieat_data import faults
from ieat_data.engines.base import NOT_RECORDED
from ieat_data.engines.cache import DAMAGED, OUTDATED
from ieat_data.errors import BuildStopped, UserError, WorkerLost
from ieat_data.execution.failures import last_line
from ieat_data.execution.job import Job
from ieat_data.execution.joining import Joiner
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.read import check_sources
from ieat_data.faults import Kind
from ieat_data.masking import masked
from ieat_data.stages.base import Task
from ieat_data.storage.lease import Lease
from ieat_data.storage.parts import DamagedPart
from ieat_data.storage.shards import CommitRecord

TASK_TRIES = 5  # of a task whose worker or engine died; faults of rows are handled inside the stage
RESTS_S = (0.2, 1.0, 5.0, 15.0)  # of a task before each next try, when a service was away: a disk, an engine

Shard = tuple[str, str]  # table, name

_log = logging.getLogger(__name__)


class Executor(Protocol):
    """Runs tasks elsewhere."""

    def submit(self, job: Job) -> None:
        """Start a task, with the engines that its stage asks."""

    def wait(self) -> Sequence[tuple[Task, list[CommitRecord] | Exception]]:
        """Return the tasks that have ended, with what they committed or why they failed. Wait at most a second for one.

        `WorkerLost` means that a task's process or node died; any other exception was raised by the task.
        """

    def answers(self) -> Mapping[str, int]:
        """Return the number of the engines' answers so far, by table."""

    def close(self) -> None:
        """End everything that was started."""


Connect = Callable[[Plan, Progress], Executor]


class Runner:
    """Runs one build. `connect` is called when there is something to do."""

    def __init__(self, plan: Plan, progress: Progress, connect: Connect, lease: Lease | None = None) -> None:
        self.plan, self.progress, self.connect = plan, progress, connect
        self._depth = {name: i for i, name in enumerate(plan.nodes)}
        self._order = itertools.count()  # among tasks of one stage: first come, first served
        # tasks whose inputs exist: one heap for each set of engines
        self._ready: dict[tuple[str, ...], list[tuple[int, int, Task]]] = defaultdict(list)
        self._waiting: dict[Shard, list[tuple[Task, Iterator[Shard]]]] = {}  # the others, by a missing input
        self._resting: list[tuple[float, int, Task]] = []  # failed tasks, by when they are done again
        self._joiner = Joiner(plan, lease)
        self._told_outdated = False
        self._remade: dict[Shard, str] = {}  # whose part was found damaged → that part's file

    def run(self) -> None:
        """Run all open tasks.

        Raises:
            BuildStopped: something is wrong; everything committed stays.
        """
        for node in self.plan.nodes.values():
            self._check_rate(node)
            check_sources(node)
        if not self._todo():
            self._joiner.finish()
            return
        executor = self.connect(self.plan, self.progress)
        try:
            while todo := self._todo():
                for task in todo:
                    self._wait(task, iter(task.reads))
                self._loop(executor)
                if self._remade:
                    self.plan.drop_outdated()
                    self.plan.forget_stale()
        finally:
            executor.close()
        self._joiner.finish()

    def _todo(self) -> list[Task]:
        return [task for node in self.plan.nodes.values() for task in node.todo]

    def _remakes(self, error: Exception) -> bool:
        """If a task met a damaged part, let the part's shard be made again, once; the task waits for it."""
        node, record = self.plan.holder(error.part) if isinstance(error, DamagedPart) else (None, None)
        if node is None or record is None:
            return node is not None  # a task found it before, and it is being made
        if (node.name, record.shard) in self._remade:
            return False
        self._remade[node.name, record.shard] = record.file
        self.progress.note(f"{error}: {node.name}/{record.shard} is made again")
        self.plan.take_back(node, record)
        self.progress.lost(node, record)
        making = next(task for task in node.tasks if record.shard in task.outputs)
        self._wait(making, iter(making.reads))
        return True

    def _wait(self, task: Task, reads: Iterator[Shard]) -> None:
        """Let a task wait for its next missing input, so that a barrier over all shards looks at each once."""
        for table, shard in reads:
            owner = self.plan.owner(table, shard)
            if shard not in owner.records:
                self._waiting.setdefault((owner.name, shard), []).append((task, reads))
                return
        ready = self._ready[self._engines(task)]
        heapq.heappush(ready, (-self._depth[task.table], next(self._order), task))

    def _engines(self, task: Task) -> tuple[str, ...]:
        return self.plan.nodes[task.table].stage.engines

    def _there(self, node: Node, task: Task) -> None:
        for shard in filter(node.records.__contains__, task.outputs):
            for waiting, reads in self._waiting.pop((node.name, shard), ()):
                self._wait(waiting, reads)

    def _loop(self, executor: Executor) -> None:
        in_flight: Counter[tuple[str, ...]] = Counter()
        tries: Counter[Shard] = Counter()
        running: set[Shard] = set()
        again: dict[Shard, Task] = {}  # running ones of whose shards another was found damaged: sent when they end
        while True:
            while in_flight.total() < self.plan.profile.shards_in_flight and (task := self._next(in_flight)):
                node = self.plan.nodes[task.table]
                if self._committed_before(node, task):
                    self._there(node, task)
                    continue
                if (key := (task.table, task.name)) in running:
                    again[key] = task
                    continue
                running.add(key)
                self.progress.start(node.name)
                self._joiner.sent(task)
                executor.submit(self.plan.job(node, task))
                in_flight[node.stage.engines] += 1
            if not in_flight.total():
                if not self._resting:
                    return
                time.sleep(max(0.0, min(self._resting)[0] - time.monotonic()))
                self._rested()
                continue
            ended = executor.wait()
            self.progress.calls(executor.answers())
            self._rested()
            for task, result in ended:
                node = self.plan.nodes[task.table]
                in_flight[node.stage.engines] -= 1
                running.remove(key := (task.table, task.name))
                self._joiner.ended(task)
                if (waiting := again.pop(key, None)) is not None:
                    self._wait(waiting, iter(waiting.reads))
                if isinstance(result, Exception):
                    tries[key] += 1
                    if self._remakes(result):
                        self._wait(task, iter(task.reads))
                        continue
                    pause_s = self._failed(result, task, tries[key])
                    heapq.heappush(self._resting, (time.monotonic() + pause_s, next(self._order), task))
                    self._rested()
                    continue
                # while it ran, one of its shards may have been found damaged, whose record it still met
                self._committed(
                    node, task, node.add(r for r in result if self._remade.get((node.name, r.shard)) != r.file)
                )
                self._there(node, task)

    def _next(self, in_flight: Mapping[tuple[str, ...], int]) -> Task | None:
        """Return a task whose inputs exist, for the engines with the fewest in flight."""
        lanes = [(in_flight.get(engines, 0), ready[0][0], engines) for engines, ready in self._ready.items() if ready]
        return heapq.heappop(self._ready[min(lanes)[2]])[2] if lanes else None

    def _committed_before(self, node: Node, task: Task) -> bool:
        """Accept the records that were waiting until the task's inputs were known."""
        self.plan.take_found(node, task)
        return node.done(task)

    def _committed(self, node: Node, task: Task, new: Sequence[CommitRecord]) -> None:
        _log.debug("%s: %s committed", node.name, ", ".join(r.shard for r in new))
        self._joiner.committed(node, task, new)
        self.progress.done(node, new)
        for record in new:
            self._tell_of_answers(node, record)
        self._check_rate(node)
        check_sources(node)

    def _tell_of_answers(self, node: Node, record: CommitRecord) -> None:
        """Say which stored answers a task could not use; of files from another version once for the build."""
        if damaged := record.summary.get(DAMAGED):
            answers = "1 stored answer was" if damaged == 1 else f"{damaged} stored answers were"
            self.progress.note(f"{node.name}/{record.shard}: {answers} damaged: what the task needs is asked again")
        if record.summary.get(OUTDATED) and not self._told_outdated:
            self._told_outdated = True
            self.progress.note(
                f"{self.plan.work / 'answers'}: *.arrows hold answers of an earlier version, which this one does not "
                "read: they are asked again, and the files can be deleted"
            )

    def _rested(self) -> None:
        """Take up again the tasks whose pause is over."""
        while self._resting and self._resting[0][0] <= time.monotonic():
            task = heapq.heappop(self._resting)[2]
            self._wait(task, iter(task.reads))

    def _failed(self, error: Exception, task: Task, tries: int) -> float:
        """Return for how many seconds a failed task rests before it is done again.

        Raises:
            UserError: it is not: what is wrong, and what to do.
        """
        if isinstance(error, UserError):
            raise error
        log = self.plan.logs / f"{task.table}-{task.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as f:
            f.write(masked("".join(traceback.format_exception(error))))
        if faults.of_exception(error) is not Kind.SERVICE or tries >= TASK_TRIES:
            raise BuildStopped(
                f"{task.table}/{task.name} failed{f' {tries} times' if tries > 1 else ''}: {last_line(error)} "
                f"(details: {log}). Everything committed stays: fix the cause and run the same command again"
            ) from error
        _log.info("%s/%s is done again, try %d of %d failed: %s", task.table, task.name, tries, TASK_TRIES, error)
        if isinstance(error, WorkerLost):
            return 0.0
        if tries > 1:
            self.progress.note(f"{task.table}/{task.name}: try {tries} of {TASK_TRIES} failed: {last_line(error)}")
        return RESTS_S[min(tries, len(RESTS_S)) - 1]

    def _check_rate(self, node: Node) -> None:
        # building.py reports at the end everything that a recording lacks
        expected = {*node.stage.expected, NOT_RECORDED}
        rejects = Counter({reason: n for reason, n in node.rejects.items() if reason not in expected})
        limit = node.stage.settings.max_reject_rate or self.plan.pipeline.max_reject_rate
        bad = sum(rejects.values())
        if node.rows >= self.plan.pipeline.min_rows_for_rate and bad > limit * node.rows:
            top = ", ".join(f"{n} {k}" for k, n in rejects.most_common(3))
            raise BuildStopped(
                f"stage {node.name} rejects {bad} of {node.rows} rows, over the limit of {limit:.0%} ({top}): read "
                f"{node.table.store}/quarantine-*, or allow more with --set stages.{node.name}.max_reject_rate=…"
            )
