"""An executor that only takes virtual time: GPUs in nodes of eight, of which some die, and engines of assumed speed."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.scale import synthetic_corpora
from ieat_data.errors import WorkerLost
from ieat_data.execution.job import Job
from ieat_data.stages.base import Task
from ieat_data.storage.shards import CommitRecord, Table

HOUR = 3600.0
NODE_GPUS = 8
LOADING_S = 240.0  # from a node's death until its engines answer again
SPREAD = 0.25  # of the work in one shard, log-normal around what is expected
# What Ray adds, measured: seconds of the driver for each task (`ray_tasks.py`, 256 replicas and 500 in flight), of a
# worker for each task, and for a message to an engine with 64 prompts, 64 clips or 4 texts to speak
DRIVER_S, WORKER_S = 0.0030, 0.005
CALL_S = {"llm": 0.0024, "asr": 0.0103, "ser": 0.0103, "tts": 0.0024}
CHUNK = {"llm": 64, "asr": 64, "ser": 64, "tts": 4}  # requests in a call, as the profile `gpu` has them
# What a task takes: seconds of CPU, and of each engine (requests, GPU seconds a request). Assumed, not measured.
COST: dict[str, tuple[float, dict[str, tuple[int, float]]]] = {
    "prompt_clips": (120, {}),
    "speakers": (5, {}),
    "ingest": (40, {}),
    "queries": (3, {}),
    "select": (600, {}),
    "synthesize": (5, {"tts": (1000, 1.1), "asr": (1000, 0.02)}),
    "recorded_signal_quality": (60, {}),
    "synthesized_signal_quality": (60, {}),
    "transcribe": (5, {"asr": (1000, 0.02)}),
    "respond": (5, {"llm": (1000, 0.05)}),
    "decontaminate_replies": (1, {}),
    "dedup_replies": (2000, {}),
    "emotion": (5, {"ser": (1000, 0.02)}),
    "inject": (10, {"llm": (2600, 0.45)}),
    "decontaminate_targets": (2, {}),
    "dedup_targets": (5000, {}),
    "reorganise": (20, {}),
    "inject_dialogues": (20, {"llm": (19_000, 0.5)}),
    "decontaminate_dialogues": (10, {}),
    "dedup_dialogues": (1000, {}),
    "questions": (200, {}),
    "speak_questions": (60, {"tts": (30_000, 0.8), "asr": (30_000, 0.01)}),
    "stage1_1": (40, {}),
    "stage1_2_reasoning": (60, {}),
    "stage1_2_empathy": (40, {}),
    "stage1_2_trajectory": (300, {}),
}


@dataclass
class Replica:
    """One engine's process on a GPU: its calls one after another, at the speed that it has with full batches."""

    node: int
    free: float = 0.0
    lost: float = 0.0  # seconds that deaths have cost it: calls that were waiting end later by what has come since


@dataclass
class Running:
    job: Job
    node: int
    phases: list[tuple[str, float]]  # role, seconds of each of its calls to come
    waiting: list[float] = field(default_factory=list)  # seconds of each call that waits for a replica
    load: Counter[int] = field(default_factory=Counter)
    order: list[int] = field(default_factory=list)
    open: int = 0
    dead: bool = False


class Simulation:
    """An executor in virtual time. `cpu_s`: what simulating took, which is not the driver's.

    The driver does one thing after another: half of `driver_s` to submit a task, half when it has ended. A task begins,
    and makes room for the next one, when the driver comes to it.
    """

    def __init__(
        self,
        gpus: int,
        pools: Mapping[str, int],
        deaths_an_hour: float,
        at: Mapping[int, Callable[[], None]] | None = None,
        seed: int = 0,
        driver_s: float = DRIVER_S,
    ) -> None:
        self.driver_s, self.driver_free, self.driver_busy = driver_s, 0.0, 0.0
        self.most_behind = 0.0  # seconds that a task has waited for the driver
        self.minutes = Counter[int]()  # tasks that were submitted in each
        self.at = dict(at or {})  # what is to happen after so many tasks
        self.now, self.cpu_s, self.draw = 0.0, 0.0, random.Random(seed)
        self.events: list[tuple[float, int, Any]] = []
        self.number = itertools.count()
        self.nodes = gpus // NODE_GPUS
        places = itertools.cycle(range(self.nodes))
        self.pools = {role: [Replica(next(places)) for _ in range(n)] for role, n in pools.items()}
        self.running: dict[int, Running] = {}
        self.left: dict[tuple[str, str], list[tuple[str, float]]] = {}  # of tasks that died: answers are kept
        self.rate = deaths_an_hour / HOUR
        self.deaths = self.failed = self.tasks = self.done = 0
        self.busy: Counter[str] = Counter()
        self.most_running = 0
        self._at(self.draw.expovariate(self.rate * self.nodes), "death")

    # -- the executor --------------------------------------------------------------------------------------------

    def submit(self, job: Job) -> None:
        with self._clock():
            cpu, engines = COST[job.task.table]
            begins = self._driver_does()
            self.minutes[int(begins // 60)] += 1
            key = (job.task.table, job.task.name)
            phases = self.left.pop(key, None)
            if phases is None:
                spread = self.draw.lognormvariate(-(SPREAD**2) / 2, SPREAD)
                phases = [
                    (role, CHUNK[role] * each * spread + CALL_S[role])
                    for role, (n, each) in engines.items()
                    for _ in range(-(-n // CHUNK[role]))
                ]
                if job.task.table == "transcribe" and job.task.name.startswith(synthetic_corpora.SPOKEN):
                    phases = []  # heard when it was spoken
            running = Running(job, self.draw.randrange(self.nodes), phases)
            self.running[id(running)] = running
            self.most_running = max(self.most_running, len(self.running))
            self.tasks += 1
            self._at(begins + WORKER_S + cpu * self.draw.uniform(0.7, 1.3), running)

    def wait(self) -> Sequence[tuple[Task, list[CommitRecord] | Exception]]:
        with self._clock():
            out: list[tuple[Task, list[CommitRecord] | Exception]] = []
            while not out:
                self.now, _, event = heapq.heappop(self.events)
                if event == "death":
                    out += self._death()
                elif isinstance(event, Running):
                    out += self._go_on(event)
                else:
                    out += self._answered(*event)
            for _ in out:
                self._driver_does()
            return out

    def answers(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        pass

    def _driver_does(self) -> float:
        """Let the driver do its part for a task; return when it is done."""
        self.most_behind = max(self.most_behind, self.driver_free - self.now)
        self.driver_free = max(self.driver_free, self.now) + self.driver_s / 2
        self.driver_busy += self.driver_s / 2
        return self.driver_free

    # -- virtual time --------------------------------------------------------------------------------------------

    def _at(self, when: float, event: Any) -> None:
        heapq.heappush(self.events, (when, next(self.number), event))

    def _go_on(self, task: Running) -> list[tuple[Task, list[CommitRecord] | Exception]]:
        """Send calls as RayPool does; when there are no more of any engine, commit."""
        if task.dead:
            return []
        if not task.open and not task.waiting:
            if not task.phases:
                del self.running[id(task)]
                return [(task.job.task, self._commit(task))]
            role = task.phases[0][0]
            task.waiting = [s for r, s in task.phases if r == role]
            task.order = self._order(role)
            task.load.clear()
        role = task.phases[0][0]
        pool = self.pools[role]
        free = ((i, n) for n in range(2) for i in task.order for _ in range(task.load[i] <= n))
        for i, _ in free:
            if not task.waiting:
                break
            replica, seconds = pool[i], task.waiting.pop()
            task.load[i] += 1
            task.open += 1
            replica.free = max(replica.free, self.now) + seconds
            self.busy[role] += seconds  # type: ignore[assignment]
            self._at(replica.free, (task, i, seconds, replica.lost))
        return []

    def _order(self, role: str) -> list[int]:
        """Return the replicas that take calls, in an order of a task's own."""
        return self.draw.sample(range(len(self.pools[role])), len(self.pools[role]))

    def _answered(self, task: Running, i: int, seconds: float, lost: float) -> list[Any]:
        if task.dead:
            return []
        role = task.phases[0][0]
        replica = self.pools[role][i]
        if replica.lost > lost:  # its process died since: Ray asks again
            self._at(self.now + replica.lost - lost, (task, i, seconds, replica.lost))
            return []
        task.phases.remove((role, seconds))
        task.load[i] -= 1
        task.open -= 1
        return self._go_on(task)

    def _death(self) -> list[tuple[Task, list[CommitRecord] | Exception]]:
        node = self.draw.randrange(self.nodes)
        self.deaths += 1
        for pool in self.pools.values():
            for replica in pool:
                if replica.node == node:
                    replica.free = max(replica.free, self.now) + LOADING_S
                    replica.lost += LOADING_S
        lost = [r for r in self.running.values() if r.node == node]
        for running in lost:
            running.dead = True
            del self.running[id(running)]
            self.left[running.job.task.table, running.job.task.name] = running.phases
        self.failed += len(lost)
        self._at(self.now + self.draw.expovariate(self.rate * self.nodes), "death")
        return [(r.job.task, WorkerLost(f"node {node}")) for r in lost]

    def _commit(self, running: Running) -> list[CommitRecord]:
        job, table = running.job, Table(running.job.table)
        made = [
            synthetic_corpora.record(job.task.table, s, job.inputs, synthetic_corpora.ROWS, self.draw)
            for s in job.task.outputs
        ]
        for record in made:
            (table.folder / record.file).touch()  # a plan looks for it
            table._publish(record)
        self.done += 1
        if self.done in self.at:
            self.at[self.done]()
        return made

    @contextlib.contextmanager
    def _clock(self) -> Iterator[None]:
        began = time.process_time()
        yield
        self.cpu_s += time.process_time() - began
