"""A call that hangs ends with its process, however it hangs; an engine that cannot load is started twice."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ieat_data.config import EngineConfig, Profile
from ieat_data.errors import UserError
from ieat_data.execution.deadlines import FIRST_CALL, Deadlines
from ieat_data.execution.ray_actors import request_seconds
from ieat_data.execution.stalls import Stalls
from ieat_data.execution.starts import HANGS_BETWEEN_ANSWERS, STARTS_BETWEEN_ANSWERS, Starts
from tests.support.processes import gone

HANG = """
import ctypes, subprocess, time
from ieat_data.execution import deadlines
deadlines._HELD_S = 0.5
print(subprocess.Popen(["sleep", "100"]).pid, flush=True)
own = deadlines.Deadlines(100.0)
def waits():
    with own.within(0.3, "generate of 8 requests"):
        {hang}
waits()
"""
IN_PYTHON = "time.sleep(100)"
WITH_PYTHON_S_LOCK = "ctypes.PyDLL(None).sleep(100)"  # called without giving up the interpreter's lock


def hangs(how: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    began = time.monotonic()
    script = [sys.executable, "-c", HANG.format(hang=how)]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    child = process.stdout.readline()
    code = process.wait(20)
    took = time.monotonic() - began
    if how == IN_PYTHON:
        assert gone(int(child), 1), "its own processes end with it"
    else:
        subprocess.run(["kill", child.strip()], check=True)
    return took, subprocess.CompletedProcess(script, code, child, process.stderr.read())


@pytest.mark.parametrize("how", [IN_PYTHON, WITH_PYTHON_S_LOCK])
def test_a_call_that_misses_its_deadline_ends_its_process_and_says_where_it_hangs(how: str) -> None:
    took, process = hangs(how)
    assert process.returncode == 1
    assert took < 10
    assert "in waits" in process.stderr, "the line of the engine's code"


def test_many_calls_at_once_are_only_ended_by_one_that_is_late() -> None:
    deadlines = Deadlines(100.0)
    with deadlines.within(30.0, "slow"):
        for _ in range(50):
            with deadlines.within(20.0, "quick"):
                pass
        time.sleep(0.05)


def test_a_deadline_grows_with_the_call_and_the_first_one_has_more() -> None:
    deadlines = Deadlines(10.0)
    assert deadlines.seconds(8) == 80 * FIRST_CALL
    deadlines.warm()
    assert (deadlines.seconds(8), deadlines.seconds(0)) == (80, 10)


def started(file: Path, build: str = "this") -> Starts:
    starts = Starts(file, build)
    starts.loading("vllm", file.with_suffix(".log"))
    return starts


def test_an_engine_whose_process_dies_while_it_loads_is_started_twice(tmp_path: Path) -> None:
    file = tmp_path / "llm-0.starts"
    file.with_suffix(".log").write_text(
        "2026 INFO x: loading llm\nterminate called: out of  memory\n2026 INFO x: loading llm\n"
    )
    started(file)
    started(file)
    with pytest.raises(
        UserError, match=r"^vllm: its process died 2 times while it was loading; its last line: term.* out of memory \("
    ):
        started(file)
    started(file, build="the next one, after it was mended")


def test_an_engine_that_dies_again_and_again_may_go_on_as_long_as_it_answers_in_between(tmp_path: Path) -> None:
    file = tmp_path / "llm-0.starts"
    for _ in range(3 * STARTS_BETWEEN_ANSWERS):
        starts = started(file)
        starts.loaded()
        starts.answered()
    for _ in range(STARTS_BETWEEN_ANSWERS):
        started(file).loaded()
    with pytest.raises(UserError, match=rf"died {STARTS_BETWEEN_ANSWERS} times in a row without one answer"):
        started(file)


def test_one_death_while_loading_after_many_good_starts_is_forgiven(tmp_path: Path) -> None:
    file = tmp_path / "llm-0.starts"
    for _ in range(4):
        started(file).loaded()
    started(file)
    started(file).loaded()
    started(file)


def test_an_engine_that_only_hangs_is_not_started_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "llm-0.starts"
    for _ in range(HANGS_BETWEEN_ANSWERS):
        starts = started(file)
        starts.loaded()
        starts.hung()
    with pytest.raises(UserError, match=rf"it hung {HANGS_BETWEEN_ANSWERS} times in a row without one answer"):
        started(file)


def test_a_stall_is_told_with_engine_task_and_row_and_only_if_no_task_is_answered() -> None:
    said, now = list[str](), [0.0]
    stalls = Stalls({"llm": ["respond", "inject"], "asr": ["transcribe"]}, said.append, lambda: now[0])
    waiting = {("llm", "respond/t-emilia-en-00003"): ("1f2e", 8), ("llm", "inject/t-emilia-en-00001"): ("77aa", 1)}
    for second in range(0, 400, 20):
        now[0] = float(second)
        stalls.see({"respond": 5, "inject": second}, waiting)
    assert said == [], "the engine answers another task"
    for second in range(400, 1000, 20):
        now[0] = float(second)
        stalls.see({"respond": 5, "inject": 380}, waiting)
    line = "(respond/t-emilia-en-00003, row 1f2e and 7 more; 1 other tasks wait)"
    assert said == [f"llm has not answered for 3 min {line}", f"llm has not answered for 6 min {line}"]
    stalls.see({"respond": 13, "inject": 380}, {})
    now[0] += 900
    stalls.see({"respond": 13, "inject": 380}, {})
    assert len(said) == 2, "nothing waits"


def test_the_profile_s_deadline_counts_and_a_server_s_client_has_its_own_limits() -> None:
    doubles = EngineConfig(engine="tests.support.doubles:LLM")
    server = EngineConfig(
        engine="openai", settings={"base_urls": "http://127.0.0.1:1", "model": "m", "descriptor": "qwen3"}
    )
    calling = EngineConfig(engine="tests.support.faulty_engines:CallingSER", deadline_s=7.0)

    def seconds(role: str, **engines: EngineConfig) -> float:
        return request_seconds(Profile(name="test", engines=engines), role)

    assert seconds("llm", llm=doubles) == 300
    assert seconds("llm", llm=server) == math.inf
    assert seconds("llm", llm=server.model_copy(update={"deadline_s": 5.0})) == 5
    assert seconds("ser", ser=calling, llm=doubles) > 300, "it may wait for the other's queue"
    with Deadlines(math.inf).within(math.inf, "generate"):
        pass
