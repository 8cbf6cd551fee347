"""Builds in this process, for cases in which starting Ray takes longer than the work itself (`choose.py`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ieat_data.engines.local import LocalEngines
from ieat_data.execution.job import Job
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.worker import run_job
from ieat_data.stages.base import Task
from ieat_data.storage.shards import CommitRecord


class InProcess:
    """Runs each task in this process as soon as it is submitted. For a build whose answers come from a recording."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._ended: list[tuple[Task, list[CommitRecord] | Exception]] = []
        self._answers: Counter[str] = Counter()
        self._tell, self._progress = progress.note, progress

    def submit(self, job: Job) -> None:
        try:
            result: list[CommitRecord] | Exception = run_job(job, self.pools(job), self._count, self._tell)
        except Exception as e:  # the runner distinguishes them
            result = e
        self._ended.append((job.task, result))

    def pools(self, job: Job) -> Mapping[str, Any]:
        """Return the engines of a task."""
        return {}

    def wait(self) -> Sequence[tuple[Task, list[CommitRecord] | Exception]]:
        ended, self._ended = self._ended, []
        return ended

    def answers(self) -> Mapping[str, int]:
        return self._answers

    def close(self) -> None:
        pass

    def _count(self, table: str, n: int) -> None:
        self._answers[table] += n
        self._progress.calls(self._answers)


class InProcessEngines(InProcess):
    """The same with the profile's engines loaded into this process, one of each."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        super().__init__(plan, progress)
        self._engines = LocalEngines(plan.profile)

    def pools(self, job: Job) -> Mapping[str, Any]:
        return self._engines.pools(job.engines)

    def close(self) -> None:
        self._engines.close()
