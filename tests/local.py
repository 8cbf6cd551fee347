"""A whole build in this process, without Ray: the product's plan, runner, tasks and publishing, engines called here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.build import preflight
from ieat_data.engines import registry
from ieat_data.export.publish import publish
from ieat_data.inprocess import InProcess
from ieat_data.planner import Plan
from ieat_data.progress import Progress
from ieat_data.runner import Runner
from ieat_data.worker import Job


class Pool:
    """One engine in this process."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        for i, chunk in enumerate(chunks):
            yield i, getattr(self.engine, method)(list(chunk)), 0.0


class Here(InProcess):
    """With the profile's engines."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        super().__init__(plan, progress)
        self._profile = plan.profile
        self._pools: dict[str, Pool] = {}

    def pools(self, job: Job) -> Mapping[str, Any]:
        for role in job.engines:
            if role not in self._pools:
                self._pools[role] = Pool(registry.build(role, self._profile.engines[role], {}))  # type: ignore[index]
        return self._pools


def build_here(plan: Plan, out: Path) -> dict[str, Any]:
    """Build and publish; gives the manifest."""
    preflight(plan)
    plan.persist()
    with Progress(plan) as progress:
        Runner(plan, progress, Here).run()
    out.mkdir(parents=True, exist_ok=True)
    return publish(plan, out)
