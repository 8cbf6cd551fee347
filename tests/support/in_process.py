"""A whole build in this process, without Ray: the product's plan, runner, tasks and publishing, engines called here.

To start Ray and its workers takes ten times as long as the tests' engines need for a build. What Ray itself has to do
is shown in `test_build.py` and `execution/test_ray.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.build import build
from ieat_data.engines import registry
from ieat_data.engines.usage import BusyClock
from ieat_data.execution.job import Job
from ieat_data.execution.local import InProcess
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress


class Pool:
    """One engine in this process."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.clock = engine, BusyClock()

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        for i, chunk in enumerate(chunks):
            with self.clock.call() as busy_s:
                answers = getattr(self.engine, method)(list(chunk))
            yield i, answers, busy_s()


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


def build_here(plan: Plan, out: Path, record_to: Path | None = None) -> dict[str, Any]:
    """Build and publish; gives the manifest."""
    return build(plan, out, record_to, connect=Here)
