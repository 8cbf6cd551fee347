"""A whole build in this process, without Ray: the product's plan, runner, tasks and publishing, engines called here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.build import preflight
from ieat_data.engines import registry
from ieat_data.export.publish import publish
from ieat_data.planner import Plan
from ieat_data.progress import Progress
from ieat_data.runner import Runner
from ieat_data.shards import Record
from ieat_data.stages.base import Task
from ieat_data.worker import Job, run_job


class Pool:
    """One engine in this process."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        for i, chunk in enumerate(chunks):
            yield i, getattr(self.engine, method)(list(chunk)), 0.0


class Here:
    """An executor that does a task as soon as it is started."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._profile = plan.profile
        self._pools: dict[str, Pool] = {}
        self._ended: list[tuple[Task, list[Record] | Exception]] = []

    def start(self, job: Job) -> None:
        for role in job.engines:
            if role not in self._pools and self._profile.recording is None:
                self._pools[role] = Pool(registry.build(role, self._profile.engines[role], {}))  # type: ignore[index]
        self._ended.append((job.task, run_job(job, self._pools, lambda table, n: None)))

    def ended(self) -> Sequence[tuple[Task, list[Record] | Exception]]:
        ended, self._ended = self._ended, []
        return ended

    def answers(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        pass


def build_here(plan: Plan, out: Path) -> dict[str, Any]:
    """Build and publish; gives the manifest."""
    preflight(plan)
    plan.persist()
    with Progress(plan) as progress:
        Runner(plan, progress, Here).run()
    out.mkdir(parents=True, exist_ok=True)
    return publish(plan, out)
