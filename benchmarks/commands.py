"""How long commands take, in times of `python -c pass`: so many interpreters could start and end meanwhile.

`--help`, a plan of stage1-2, the sample replayed from its recording, that build again with nothing to do, its check by
`verify`: each a process of its own. Compiled modules lie in a folder of their own, which the first, untimed runs fill.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.compare import ROOT, Line, Options, compared

PASS, PASSES = "python -c pass", 10  # one alone takes too short a time
# what a command may take, in times of `python -c pass`: 0.12, 0.4, 0.8, 0.8 and 3 s where that takes 14 ms
GOALS = {
    "ieat --help": 9,
    "ieat plan": 29,
    "a build with nothing to do": 57,
    "ieat verify": 57,
    "replay of the sample": 214,
}
WITHOUT_A_BUILD = ("ieat --help", "ieat plan")


def measure(options: Options) -> Iterator[Line]:
    """Yield a line for each command; a small run does not build."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "compiled")

        def run(*line: str, times: int = 1) -> Mapping[str, float]:
            return _seconds([sys.executable, *line], environment, times)

        def built(out: Path) -> Mapping[str, float]:
            return run("-m", "ieat_data", "build", "stage1-2", "--profile", "replay", "--out", str(out))

        finished, fresh = Path(folder) / "finished", iter(range(1000))
        works: dict[str, Callable[[], Mapping[str, float]]] = {
            PASS: lambda: run("-c", "pass", times=PASSES),
            "ieat --help": lambda: run("-m", "ieat_data", "--help"),
            "ieat plan": lambda: run("-m", "ieat_data", "plan", "stage1-2"),
            "a build with nothing to do": lambda: built(finished),
            "ieat verify": lambda: run("-m", "ieat_data", "verify", str(finished)),
            "replay of the sample": lambda: built(Path(folder) / f"replayed-{next(fresh)}"),
        }
        if options.small:
            works = {name: works[name] for name in (PASS, *WITHOUT_A_BUILD)}
        else:
            built(finished)
        timed = compared(works, options.rounds).seconds
    for name in works:
        if name != PASS:
            clock, cpu = (_ratio(timed[name][by], timed[PASS][by]) for by in ("clock", "cpu"))
            both = {n: timed[n] for n in (name, PASS)}
            yield Line(name, PASS, f"≤ {GOALS[name]} times", clock, cpu, "times", both)


def _ratio(of: Sequence[float], to: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(of, to, strict=True)), 1)


def _seconds(line: Sequence[str], environment: Mapping[str, str], times: int) -> dict[str, float]:
    """Return the mean seconds of a command: /proc counts in hundredths, which is too coarse for short ones."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for _ in range(times):
        subprocess.run(line, cwd=ROOT, env=environment, check=True, capture_output=True)
    clock, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"clock": clock / times, "cpu": cpu / times}
