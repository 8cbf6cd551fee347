"""The executor of a build on Ray: one Ray task per shard's task, and the pools of engines that it calls."""

from __future__ import annotations

import contextlib
import gc
import logging
import queue
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from ieat_data import logs, stopping
from ieat_data.errors import UserError
from ieat_data.execution.job import Job
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.ray_calls import RayPool
from ieat_data.execution.ray_connect import connected, lacking
from ieat_data.execution.ray_faults import translated
from ieat_data.execution.ray_meter import EVERY_S, Counted, Meter, Reports
from ieat_data.execution.ray_moves import Moves
from ieat_data.execution.ray_pools import EnginePools
from ieat_data.execution.ray_project import arrive
from ieat_data.execution.stalls import Stalls
from ieat_data.execution.worker import run_job
from ieat_data.stages.base import Task
from ieat_data.storage.shards import CommitRecord
from ieat_data.storage.store import Store

_YOUNG = 5_000  # objects between two looks for garbage: at Python's 700 they take a tenth of the time of a row

_log = logging.getLogger(__name__)


class Cluster:
    """Joins or starts Ray.

    Raises:
        UserError: Ray lacks what the engines request.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._running: dict[Future[list[CommitRecord]], Task] = {}
        self._ended: queue.SimpleQueue[Future[list[CommitRecord]]] = queue.SimpleQueue()
        self._counted = Counted()
        self._read = float("-inf")
        self._asked: Any = None  # the reading of the counter that is on its way
        self._logs, self._note = plan.work / "logs", progress.note
        asking = [n for n in plan.nodes.values() if n.todo]
        roles = sorted({r for node in asking for r in node.stage.engines})
        self._stalls = Stalls({r: [n.name for n in asking if r in n.stage.engines] for r in roles}, progress.note)
        with contextlib.ExitStack() as stack:
            self._ray = stack.enter_context(connected(plan.profile))
            self._check_resources(plan, roles, progress)
            # on the driver's own node: it must not die with another one
            here = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                self._ray.get_runtime_context().get_node_id(), soft=False
            )
            self._meter = self._ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(Meter).remote()
            directory = self._meter if plan.profile.autoscale else None
            self._engines = EnginePools(self._ray, plan.profile, progress.note, self._logs, directory)
            self._moves = Moves(self._ray, plan, self._engines, progress.note) if directory else None
            stack.callback(self._engines.close)
            self._engines.begin(roles)  # all load in parallel, while shards that need none are made
            # spread: tasks take no CPU in Ray's eyes, so by default all of them would be done on the driver's node
            remote = self._ray.remote(num_cpus=0, max_retries=0, scheduling_strategy="SPREAD")
            self._run_job = remote(_run_job)
            self._open = stack.pop_all()

    def _check_resources(self, plan: Plan, roles: Iterable[str], progress: Progress) -> None:
        faults = lacking(self._ray, plan.profile, roles)
        if faults and plan.profile.ray.address is None:
            raise UserError("\n      ".join(faults))
        for fault in faults:  # only a note: a cluster may still grow
            progress.note(f"waiting: {fault}")

    def submit(self, job: Job) -> None:
        if self._moves:
            self._moves.wake(list(job.engines))
        pools = {role: self._engines.pool(role) for role in job.engines}
        # `ray.wait` would look at all that run for each that has ended
        future = self._run_job.remote(job, pools, self._meter, self._logs).future()
        self._running[future] = job.task
        future.add_done_callback(self._ended.put)

    def wait(self) -> Sequence[tuple[Task, list[CommitRecord] | Exception]]:
        ended = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._ended.get(timeout=1.0))
            while True:
                ended.append(self._ended.get_nowait())
        self._engines.watch.check()  # otherwise each of its tasks would be done again, where nothing is
        stopping.check()
        return [(self._running.pop(future), _result(future)) for future in ended]

    def answers(self) -> Mapping[str, int]:
        from ray.exceptions import GetTimeoutError, RayError

        if self._asked is None:
            if time.monotonic() - self._read < EVERY_S:
                return self._counted.sums
            self._read = time.monotonic()
            self._asked = self._meter.read.remote()
        try:
            life, counts, told, waiting = self._ray.get(self._asked, timeout=0.2)
        except GetTimeoutError:  # it starts; the build does not wait for what only the progress shows
            return self._counted.sums
        except RayError as e:
            _log.info("the counter of answers died and starts anew: %s", type(e).__name__)
        else:
            if self._counted.see(life, counts):
                self._engines.publish()
            for text in told:
                self._note(text)
            self._stalls.see(self._counted.sums, waiting)
            if self._moves:
                self._moves.see(waiting)
        self._asked = None
        return self._counted.sums

    def close(self) -> None:
        self._open.close()


def _result(future: Future[list[CommitRecord]]) -> list[CommitRecord] | Exception:
    try:
        return future.result()
    except Exception as e:
        return translated(e)


def _run_job(job: Job, pools: dict[str, RayPool], meter: Any, folder: Store) -> Any:
    logs.capture(folder.here)
    arrive()
    gc.set_threshold(_YOUNG)

    with Reports(meter) as reports:
        return run_job(job, pools, reports.add, lambda text: meter.tell.remote(text), reports.waits)
