"""Who runs a build, by its size and its engines; whoever it is, the same rows come out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ieat_data.cli.build import make_plan
from ieat_data.errors import UserError
from ieat_data.execution import choose
from ieat_data.execution.local import InProcess, InProcessEngines
from ieat_data.execution.plan import Plan
from ieat_data.execution.ray_executor import Cluster
from tests.support import corpora


def plan(folder: Path, n: int = 4, *sets: str) -> Plan:
    made = corpora.make(folder, n)
    return make_plan(made.pipeline, made.profile, folder / "out", None, ["profile.executor=auto", *sets], None)


@pytest.mark.parametrize(
    ("n", "sets", "expected"),
    [
        (4, (), InProcessEngines),  # 16 records
        (8, (), Cluster),  # 24
        (8, ("profile.executor=local",), InProcessEngines),
        (4, ("profile.executor=ray",), Cluster),
        (4, ("profile.ray.address=auto",), Cluster),
        (4, ("profile.engines.llm.replicas=2",), Cluster),
        (4, ("profile.engines.asr.num_gpus=0.5",), Cluster),
        (4, ("profile.engines.tts.python=/usr/bin/python3",), Cluster),
        (8, ("limit=3",), InProcessEngines),
    ],
)
def test_a_small_build_without_a_gpu_runs_in_this_process(
    tmp_path: Path, n: int, sets: tuple[str, ...], expected: type
) -> None:
    connect, said = choose.executor(plan(tmp_path, n, *sets))
    assert connect is expected
    assert said.startswith("executor: local") == (expected is InProcessEngines)


def test_a_recording_answers_in_this_process() -> None:
    replayed = make_plan("stage1-2", "replay", Path("unused"), None, ["profile.executor=ray"], None)
    assert choose.executor(replayed) == (InProcess, "")


def test_an_engine_of_another_environment_cannot_run_here(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"executor: local, but engines.tts.python names another environment"):
        choose.executor(plan(tmp_path, 4, "profile.executor=local", "profile.engines.tts.python=/usr/bin/python3"))
