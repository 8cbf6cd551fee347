"""The executor of a build on Ray: one Ray task per shard's task, and the pools of engines that it calls."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ieat_data import logs, stopping
from ieat_data.errors import UserError
from ieat_data.execution.job import Job
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.ray_actors import RayPool
from ieat_data.execution.ray_faults import translated
from ieat_data.execution.ray_pools import EnginePools, connected, lacking
from ieat_data.execution.ray_project import arrive
from ieat_data.execution.stalls import Stalls
from ieat_data.execution.worker import run_job
from ieat_data.stages.base import Task
from ieat_data.storage.shards import CommitRecord
from ieat_data.storage.store import Store

_log = logging.getLogger(__name__)
_TELL_AGAIN_S = 30.0


class Cluster:
    """Joins or starts Ray.

    Raises:
        UserError: Ray lacks what the engines request.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._running: dict[Any, Task] = {}
        self._counted = Counted()
        self._asked: Any = None  # the reading of the counter that is on its way
        self._logs, self._note = plan.work / "logs", progress.note
        asking = [n for n in plan.nodes.values() if n.todo]
        roles = sorted({r for node in asking for r in node.stage.engines})
        self._stalls = Stalls({r: [n.name for n in asking if r in n.stage.engines] for r in roles}, progress.note)
        with contextlib.ExitStack() as stack:
            self._ray = stack.enter_context(connected(plan.profile))
            self._check_resources(plan, roles, progress)
            self._engines = EnginePools(self._ray, plan.profile, progress.note, self._logs)
            stack.callback(self._engines.close)
            self._engines.begin(roles)  # all load in parallel, while shards that need none are made
            # on the driver's own node: it must not die with another one
            here = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                self._ray.get_runtime_context().get_node_id(), soft=False
            )
            self._meter = self._ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(_Meter).remote()
            self._run_job = self._ray.remote(num_cpus=0, max_retries=0)(_run_job)
            self._open = stack.pop_all()

    def _check_resources(self, plan: Plan, roles: Iterable[str], progress: Progress) -> None:
        faults = lacking(self._ray, plan.profile, roles)
        if faults and plan.profile.ray.address is None:
            raise UserError("\n      ".join(faults))
        for fault in faults:  # only a note: a cluster may still grow
            progress.note(f"waiting: {fault}")

    def submit(self, job: Job) -> None:
        pools = {role: self._engines.pool(role) for role in job.engines}
        self._running[self._run_job.remote(job, pools, self._meter, self._logs)] = job.task

    def wait(self) -> Sequence[tuple[Task, list[CommitRecord] | Exception]]:
        done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=1.0)
        self._engines.watch.check()  # otherwise each of its tasks would be done again, where nothing is
        stopping.check()
        return [(self._running.pop(ref), self._result(ref)) for ref in done]

    def answers(self) -> Mapping[str, int]:
        from ray.exceptions import GetTimeoutError, RayError

        if self._asked is None:
            self._asked = self._meter.read.remote()
        try:
            life, counts, told, waiting = self._ray.get(self._asked, timeout=0.2)
        except GetTimeoutError:  # it starts; the build does not wait for what only the progress shows
            return self._counted.sums
        except RayError as e:
            _log.info("the counter of answers died and starts anew: %s", type(e).__name__)
        else:
            self._counted.see(life, counts)
            for text in told:
                self._note(text)
            self._stalls.see(self._counted.sums, waiting)
        self._asked = None
        return self._counted.sums

    def close(self) -> None:
        self._open.close()

    def _result(self, ref: Any) -> list[CommitRecord] | Exception:
        try:
            records: list[CommitRecord] = self._ray.get(ref)
        except Exception as e:
            return translated(e)
        return records


class _Meter:
    """Counts the answers that arrive inside running shards, so that the progress line moves; and says why it does not.

    What many tasks say at once (all wait for one server) is passed on once in half a minute.
    """

    def __init__(self) -> None:
        self.life = uuid.uuid4().hex
        self.counts: dict[str, int] = {}
        self.told: dict[str, float] = {}
        self.texts: list[str] = []
        self.waiting: dict[tuple[str, str], tuple[str, int]] = {}

    def add(self, table: str, n: int) -> None:
        self.counts[table] = self.counts.get(table, 0) + n

    def tell(self, text: str) -> None:
        if time.monotonic() - self.told.get(text, -_TELL_AGAIN_S) >= _TELL_AGAIN_S:
            self.told[text] = time.monotonic()
            self.texts.append(text)

    def waits(self, role: str, where: str, row: str, rows: int) -> None:
        if rows:
            self.waiting[role, where] = row, rows
        else:
            self.waiting.pop((role, where), None)

    def read(self) -> tuple[str, dict[str, int], list[str], dict[tuple[str, str], tuple[str, int]]]:
        texts, self.texts = self.texts, []
        return self.life, self.counts, texts, self.waiting


class Counted:
    """Sums of a counter that may die and begin at nothing: what was read of each of its lives."""

    def __init__(self) -> None:
        self._lives: dict[str, Mapping[str, int]] = {}

    def see(self, life: str, counts: Mapping[str, int]) -> None:
        self._lives[life] = counts

    @property
    def sums(self) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for counts in self._lives.values():
            total.update(counts)
        return total


def _run_job(job: Job, pools: dict[str, RayPool], meter: Any, folder: Store) -> Any:
    logs.capture(folder.here)
    arrive()

    def waits(role: str, where: str, rows: Sequence[str]) -> None:
        meter.waits.remote(role, where, rows[0] if rows else "", len(rows))

    return run_job(job, pools, lambda t, n: meter.add.remote(t, n), lambda text: meter.tell.remote(text), waits)
