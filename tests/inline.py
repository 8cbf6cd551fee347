"""A build in this process, from the shipped recording: real rows and clips in seconds, without Ray or a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ieat_data.cli.build import make_plan
from ieat_data.export.publish import publish
from ieat_data.planner import Plan
from ieat_data.progress import Progress
from ieat_data.runner import Runner
from ieat_data.shards import Record, replace_file
from ieat_data.stages.base import Task
from ieat_data.worker import Job, run_job


class Inline:
    """Does each task as it comes."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._done: list[tuple[Task, list[Record] | Exception]] = []

    def start(self, job: Job) -> None:
        self._done.append((job.task, run_job(job, {}, lambda table, n: None)))

    def ended(self) -> Sequence[tuple[Task, list[Record] | Exception]]:
        done, self._done = self._done, []
        return done

    def answers(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        pass


class Broken(Exception):
    """A build that is killed on its way."""


class Breaking(Inline):
    """Does so many tasks, and breaks off."""

    left = 0

    def start(self, job: Job) -> None:
        if type(self).left == 0:
            raise Broken
        type(self).left -= 1
        super().start(job)


def begin(out: Path) -> Plan:
    """The plan of the sample, with its work folder made: as a build does it."""
    plan = make_plan("stage1-2", "replay", out, None, [], None)
    plan.work.mkdir(parents=True, exist_ok=True)
    plan.persist()
    configs = {"pipeline": plan.pipeline.model_dump(mode="json"), "profile": plan.profile.model_dump(mode="json")}
    replace_file(plan.work / "build.json", json.dumps(configs).encode())
    return plan


def go_on(plan: Plan, tasks: int | None = None) -> None:
    """Do the next tasks of a plan; all of them where no number is given."""
    if tasks is None:
        Runner(plan, Progress(plan, live=False), Inline).run()
        return
    Breaking.left = tasks
    with suppress(Broken):
        Runner(plan, Progress(plan, live=False), Breaking).run()


def sample(out: Path) -> dict[str, Any]:
    """The whole sample, published into `out`. Returns its manifest."""
    plan = begin(out)
    go_on(plan)
    return publish(plan, out)
