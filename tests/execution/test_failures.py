"""What becomes of a task that fails: whose fault it is decides, not the name of an exception."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from ray import exceptions as of_ray

from ieat_data.cli.build import make_plan
from ieat_data.errors import BuildStopped, EngineDown, UserError, WorkerLost
from ieat_data.execution.job import Job
from ieat_data.execution.local import InProcess
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.ray_faults import translated
from ieat_data.execution.runner import TASK_TRIES, Runner


class Failing(InProcess):
    """Fails the first task, so many times, with `error`."""

    error: Exception
    times: int

    def __init__(self, plan: Plan, progress: Progress) -> None:
        super().__init__(plan, progress)
        self.failed: list[str] = []

    def submit(self, job: Job) -> None:
        name = f"{job.task.table}/{job.task.name}"
        if len(self.failed) < self.times and name in (*self.failed[:1], name if not self.failed else ""):
            self.failed.append(name)
            self._ended.append((job.task, self.error))
        else:
            super().submit(job)


def run(tmp_path: Path, error: Exception, times: int) -> Failing:
    plan = make_plan("stage1-2", "replay", tmp_path / "out", None, ["configs=[ingest]", "limit=2"], None)
    plan.persist()
    made: list[Failing] = []

    def connect(plan: Plan, progress: Progress) -> Failing:
        made.append(Failing(plan, progress))
        made[0].error, made[0].times = error, times
        return made[0]

    Runner(plan, Progress(plan, live=False), connect).run()
    return made[0]


@pytest.mark.parametrize("error", [WorkerLost("node gone"), EngineDown("its process died")])
def test_what_the_machine_did_is_done_again(tmp_path: Path, error: Exception) -> None:
    failing = run(tmp_path, error, TASK_TRIES - 1)
    assert len(failing.failed) == TASK_TRIES - 1
    assert len(set(failing.failed)) == 1, "one task, again and again"


def test_but_not_for_ever(tmp_path: Path) -> None:
    with pytest.raises(BuildStopped, match=rf"ingest/.* failed {TASK_TRIES} times: node gone .*fix the cause"):
        run(tmp_path, WorkerLost("node gone"), TASK_TRIES)
    log = next((tmp_path / "out" / ".work" / "logs").glob("ingest-*.log")).read_text()
    assert log.count("WorkerLost: node gone") == TASK_TRIES


class HeartLostError(RuntimeError):
    """A bug of the user's own stage, named as one of Ray's."""


def test_a_bug_stops_the_build_whatever_it_is_called(tmp_path: Path) -> None:
    with pytest.raises(BuildStopped, match="failed: no more"):
        run(tmp_path, HeartLostError("no more"), 1)


def test_a_user_s_fault_stops_it_with_its_own_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^name a folder$"):
        run(tmp_path, UserError("name a folder"), 1)


LOST = [
    of_ray.WorkerCrashedError(),
    of_ray.NodeDiedError("the node died"),
    of_ray.ActorDiedError(),
    of_ray.ActorUnavailableError("unavailable", b"0" * 16),
    of_ray.LocalRayletDiedError(),
    of_ray.ObjectLostError("0" * 56, None, "site"),
    of_ray.OwnerDiedError("0" * 56, None, "site"),
    of_ray.OutOfMemoryError("the node ran low on memory"),
]


@pytest.mark.parametrize("error", LOST, ids=lambda e: type(e).__name__)
def test_ray_s_losses_are_one(error: Exception) -> None:
    told = translated(error)
    assert type(told) is WorkerLost
    assert type(error).__name__ in str(told) and "\n" not in str(told)
    within = translated(of_ray.RayTaskError("run", "Traceback …", error))  # a worker waited for what was lost
    assert type(within) is WorkerLost


def test_a_task_s_own_exception_comes_back_with_the_worker_s_traceback() -> None:
    def raised(cause: Exception) -> Exception:
        error: Exception = of_ray.RayTaskError("run", "Traceback: line 7 of the worker", cause).as_instanceof_cause()
        return translated(error)

    for cause in (UserError("name a folder"), EngineDown("died"), KeyError("text")):
        told = raised(cause)
        assert type(told) is type(cause)
        assert str(told) == str(cause)
        assert "line 7 of the worker" in "".join(traceback.format_exception(told))


def test_other_faults_of_ray_are_no_loss() -> None:
    error = of_ray.RuntimeEnvSetupError("no such package")
    assert translated(error) is error
    assert not isinstance(translated(of_ray.TaskUnschedulableError("no CPU")), WorkerLost)
