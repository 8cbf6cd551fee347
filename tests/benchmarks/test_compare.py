"""The frame of `make bench`: rounds, ratios, and the CPU seconds of processes below."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.compare import as_json, below, compared, cpu_s, told
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


def test_the_seconds_of_a_process_below_count_while_it_runs_and_when_it_has_ended() -> None:
    before = cpu_s()
    work = "import time, sys\nwhile time.process_time() < 0.3: pass\nprint(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline()
        assert child.pid in below(os.getpid())
        running_s = cpu_s() - before
    assert running_s >= 0.2  # Linux counts in hundredths
    assert cpu_s() - before >= running_s - 0.1


def test_a_side_answers_each_time_and_one_without_its_library_is_left_out(tmp_path: Path) -> None:
    lines: dict[str, list[str | Path]] = {}
    for name, library in (("there", "json"), ("away", "no_such_library")):
        script = tmp_path / f"{name}.py"
        script.write_text(SIDE.format(seconds=[1.5, 2.5], library=library))
        lines[name] = [sys.executable, script]
    with running(lines, tmp_path) as sides:
        assert list(sides) == ["there"]
        assert [sides["there"]()["clock"] for _ in range(2)] == [1.5, 2.5]
