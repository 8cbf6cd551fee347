"""A build in this process, from the shipped recording: real rows and clips in seconds, without Ray or a model."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from ieat_data.building import build
from ieat_data.cli.build import make_plan
from ieat_data.execution.job import Job
from ieat_data.execution.local import InProcess
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.runner import Runner


class Broken(Exception):
    """A build that is killed on its way."""


class Breaking(InProcess):
    """Does so many tasks, and breaks off."""

    left = 0

    def submit(self, job: Job) -> None:
        if type(self).left == 0:
            raise Broken
        type(self).left -= 1
        super().submit(job)


def begin(out: Path) -> Plan:
    """The plan of the sample, with its work folder made: as a build does it."""
    plan = make_plan("stage1-2", "replay", out, None, [], None)
    plan.work.make()
    plan.persist()
    configs = {"pipeline": plan.pipeline.model_dump(mode="json"), "profile": plan.profile.model_dump(mode="json")}
    plan.work.replace_json("build.json", configs)
    return plan


def go_on(plan: Plan, tasks: int | None = None) -> None:
    """Do the next tasks of a plan; all of them where no number is given."""
    if tasks is None:
        Runner(plan, Progress(plan, live=False), InProcess).run()
        return
    Breaking.left = tasks
    with suppress(Broken):
        Runner(plan, Progress(plan, live=False), Breaking).run()


def sample(out: Path) -> dict[str, Any]:
    """The whole sample, published into `out`. Returns its manifest."""
    return build(make_plan("stage1-2", "replay", out, None, [], None), out)
