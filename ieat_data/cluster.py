"""Ray: where tasks are done, and the pools of engines that they ask.

Why bare Ray actors and tasks and not Ray Data: one LLM pool serves three stages of the DAG (respond, inject,
inject_dialogues) and another engine calls on it; Ray Data gives each operator its own actors, so the model would be
loaded three times.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from ieat_data.engines import registry
from ieat_data.errors import BuildStopped
from ieat_data.planner import Plan
from ieat_data.progress import Progress
from ieat_data.runner import last_line
from ieat_data.shards import Record
from ieat_data.stages.base import Task
from ieat_data.worker import EngineActor, Job, RayPool, run_job

CALL_TRIES = 3  # of an engine's call, beyond the first
ENGINE_RESTARTS = 50  # in weeks, a node dies more than once
ENGINE_CLOSES_S = 10.0  # for engines to end what they started; one that is stuck is not waited for


class Cluster:
    """The executor of a build: one Ray task a shard, one pool of actors an engine, started when first needed."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.profile, self.progress = plan.profile, progress
        self.replayed = plan.recording is not None  # a recording needs no engine
        self.actors: dict[str, list[Any]] = {}
        self.running: dict[Any, Task] = {}
        self.ray = _start_ray(plan)
        # its counts may be lost with its node, the build must not
        self.meter = self.ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Meter).remote()
        self.run_job = self.ray.remote(num_cpus=0, max_retries=0)(_run_job)

    def start(self, job: Job) -> None:
        pools = {} if self.replayed else {role: self._pool(role) for role in job.engines}
        self.running[self.run_job.remote(job, pools, self.meter)] = job.task

    def ended(self) -> Sequence[tuple[Task, list[Record] | Exception]]:
        done, _ = self.ray.wait(list(self.running), num_returns=1, timeout=1.0)
        return [(self.running.pop(ref), self._result(ref)) for ref in done]

    def answers(self) -> Mapping[str, int]:
        counts: Mapping[str, int] = self.ray.get(self.meter.read.remote())
        return counts

    def close(self) -> None:
        closed = [actor.close.remote() for pool in self.actors.values() for actor in pool]
        if closed:
            self.ray.wait(closed, num_returns=len(closed), timeout=ENGINE_CLOSES_S)
        self.ray.shutdown()

    def _result(self, ref: Any) -> list[Record] | Exception:
        try:
            records: list[Record] = self.ray.get(ref)
        except Exception as e:
            return e
        return records

    def _pool(self, role: str) -> RayPool:
        """The actors of an engine, started when first needed, with those that they call on."""
        if role not in self.actors:
            config = self.profile.engines[role]  # type: ignore[index]
            helpers = {}
            for r in registry.uses(role, config):
                helpers[r] = [_actor_name(r, i) for i in range(len(self._pool(r).actors))]
            self.progress.note(
                f"loading {role}: {config.engine}" + (f" x{config.replicas}" if config.replicas > 1 else "")
            )
            cls = self.ray.remote(
                num_cpus=config.num_cpus,
                num_gpus=config.num_gpus,
                max_restarts=ENGINE_RESTARTS,
                max_task_retries=CALL_TRIES,
            )(EngineActor)
            profile = self.profile.model_dump(mode="json")
            options = {
                "max_concurrency": registry.concurrent_calls(role, config),
                "runtime_env": {"py_executable": config.python} if config.python else None,
            }
            self.actors[role] = [
                cls.options(name=_actor_name(role, i), **options).remote(role, profile, helpers)
                for i in range(config.replicas)
            ]
            try:
                self.ray.get([a.ready.remote() for a in self.actors[role]])
            except Exception as e:
                raise BuildStopped(f"engine {role} ({config.engine}) did not start: {last_line(e)}") from e
        return RayPool(self.actors[role])


class _Meter:
    """Counts the answers that arrive inside running shards, for a progress line that moves."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, table: str, n: int) -> None:
        self.counts[table] = self.counts.get(table, 0) + n

    def read(self) -> dict[str, int]:
        return self.counts


def _actor_name(role: str, i: int) -> str:
    return f"{role}-{i}"


def _run_job(job: Job, pools: dict[str, RayPool], meter: Any) -> Any:
    return run_job(job, pools, lambda table, n: meter.add.remote(table, n))


def _start_ray(plan: Plan) -> Any:
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    config = plan.profile.ray
    # a namespace of its own: two builds on one cluster do not meet each other's engines
    quiet: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "namespace": f"ieat-{uuid.uuid4().hex[:12]}",
    }
    if config.address:
        ray.init(address=config.address, **quiet)
    else:
        ray.init(
            address="local",  # a cluster that somebody started on this machine is not meant
            num_cpus=config.num_cpus,
            object_store_memory=config.object_store_mb << 20,
            include_dashboard=False,
            **quiet,
        )
    return ray
