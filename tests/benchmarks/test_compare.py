"""The frame of `make bench`: rounds, ratios, and the CPU seconds of processes below."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.compare import CpuSeconds, as_json, below, compared, told
from benchmarks.sides import running

SIDE = """
from benchmarks.sides import served
seconds = iter({seconds})
def ready():
    import {library}
    return lambda: {{"clock": next(seconds), "cpu": 1.0}}
served(ready)
"""


def test_alternatives_are_timed_in_turn_and_a_ratio_is_the_rounds_median() -> None:
    order, seconds = list[str](), {"ours": iter((1.0, 1.0, 2.0)), "theirs": iter((3.0, 2.0, 8.0))}

    def alternative(name: str) -> dict[str, float]:
        order.append(name)
        return {"clock": next(seconds[name]), "cpu": 1.0}

    names = ("ours", "theirs")
    found = compared({name: lambda name=name: alternative(name) for name in names}, rounds=3, warm=False)  # type: ignore[misc]
    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    line = found.line("rows", "ours", "theirs", "≥ 3")
    assert (line.clock, line.cpu) == (3.0, 1.0)  # of 3, 2 and 4
    assert told([line]).splitlines()[1].split() == ["rows", "theirs", "3.00", "1.00", "≥", "3"]
    assert json.loads(json.dumps(as_json([line], "make bench", {})))["lines"][0]["seconds"]["ours"]["clock"] == [
        1,
        1,
        2,
    ]


BUSY = "import time\nwhile time.process_time() < 0.7: pass"
# whose child's seconds Linux does not add to its own
DEAF = "import signal, subprocess, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); subprocess.run({child})"


@pytest.mark.parametrize("deaf", [False, True])
def test_the_seconds_of_a_process_below_count_while_it_runs_and_when_it_has_ended(deaf: bool) -> None:
    busy = [sys.executable, "-c", BUSY]
    child = [sys.executable, "-c", DEAF.format(child=busy)] if deaf else busy
    with CpuSeconds() as running, subprocess.Popen(child) as process:
        time.sleep(0.3)
        assert process.pid in below(os.getpid())
        with CpuSeconds() as half:
            process.wait()
    assert 0.4 <= running.used <= 1.2  # it is looked at five times a second
    assert 0 <= half.used <= running.used


def test_a_side_answers_each_time_and_one_without_its_library_is_left_out(tmp_path: Path) -> None:
    lines: dict[str, list[str | Path]] = {}
    for name, library in (("there", "json"), ("away", "no_such_library")):
        script = tmp_path / f"{name}.py"
        script.write_text(SIDE.format(seconds=[1.5, 2.5], library=library))
        lines[name] = [sys.executable, script]
    with running(lines, tmp_path) as sides:
        assert list(sides) == ["there"]
        assert [sides["there"]()["clock"] for _ in range(2)] == [1.5, 2.5]
