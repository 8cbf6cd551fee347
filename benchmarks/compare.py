"""Alternatives of one piece of work timed against each other, and what came out as lines of a table and as JSON.

A part of `make bench` is a module with `def measure(options: Options) -> Iterator[Line]`. It calls `compared` with what
is to be timed: each alternative in turn, so many rounds, so that a busy minute hits all of them alike. Both the clock
and the CPU seconds of the process with all that it started count: on a machine that does other things the second say
more. Ratios are medians of the rounds' own ratios.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.2  # between two looks at the CPU seconds of all processes


@dataclass(frozen=True)
class Options:
    """What `make bench` says to each part.

    small: seconds in all, to see that it works; figures are not worth keeping.
    rounds: how often each alternative is timed.
    peers: an interpreter that has the peers' libraries.
    """

    small: bool = False
    rounds: int = 5
    peers: str = ""


@dataclass(frozen=True)
class Line:
    """One line of the table.

    work, against: what is done, and who else does it.
    clock, cpu: a ratio above 1 says that ours is so many times as fast; or an amount in `unit`.
    """

    work: str
    against: str
    goal: str
    clock: float | None
    cpu: float | None = None
    unit: str = "x"
    seconds: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Timed:
    """Seconds of each alternative: by `clock` and `cpu`, a figure a round."""

    seconds: Mapping[str, Mapping[str, list[float]]]

    def ratio(self, ours: str, theirs: str, by: str) -> float:
        """Return how many times as fast `ours` is."""
        pairs = zip(self.seconds[theirs][by], self.seconds[ours][by], strict=True)
        return round(statistics.median(t / max(o, 1e-9) for t, o in pairs), 3)

    def line(self, work: str, ours: str, theirs: str, goal: str) -> Line:
        """Return the line that compares two alternatives."""
        both = {name: self.seconds[name] for name in (ours, theirs)}
        return Line(work, theirs, goal, self.ratio(ours, theirs, "clock"), self.ratio(ours, theirs, "cpu"), "x", both)


def compared(alternatives: Mapping[str, Callable[[], Any]], rounds: int, warm: bool = True) -> Timed:
    """Time each alternative once a round, one after the other, in turning order.

    Args:
        alternatives: what is called. One that returns seconds by `clock` and `cpu` has timed itself.
        rounds: how many.
        warm: call each once before.
    """
    seconds: dict[str, dict[str, list[float]]] = {name: {"clock": [], "cpu": []} for name in alternatives}
    names = list(alternatives)
    for name in names if warm else ():
        alternatives[name]()
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found = timed(alternatives[name])
            for by, took in seconds[name].items():
                took.append(round(found[by], 4))
    return Timed(seconds)


def timed(call: Callable[[], Any]) -> dict[str, float]:
    """Return the seconds of a call, by `clock` and `cpu`."""
    with CpuSeconds() as cpu:
        began = time.perf_counter()
        own = call()
        clock = time.perf_counter() - began
    found = {"clock": clock, "cpu": cpu.used}
    return {by: float(own[by]) for by in found} if isinstance(own, Mapping) and {*found} <= {*own} else found


def command(line: Sequence[str | Path], **options: Any) -> Callable[[], None]:
    """Return an alternative that runs a command; one that fails shows what it said."""

    def run() -> None:
        done = subprocess.run([str(x) for x in line], capture_output=True, text=True, **options)
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, line))}: {done.stderr[-2000:]}")

    return run


class CpuSeconds:
    """The CPU seconds of this process and of all below it, while a block runs: `used`, once it has ended.

    Linux adds those of a process that ends to its parent's, unless the parent ignores its end, as Ray does with its
    workers. So all are looked at now and then, and such a one counts as it was last seen.
    """

    used = 0.0

    def __init__(self) -> None:
        self._over, self._thread = threading.Event(), threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._before = self._last = _by_process()
        self._lost = 0.0
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        self._see()
        self.used = sum(s for s, _ in self._last.values()) + self._lost - sum(s for s, _ in self._before.values())

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            self._see()

    def _see(self) -> None:
        now = _by_process()
        self._lost += sum(s for pid, (s, lost) in self._last.items() if lost and pid not in now)
        self._last = now


def _by_process() -> dict[int, tuple[float, bool]]:
    """Return the CPU seconds of this process and of each below it, and whether they are lost when it ends."""
    if not Path("/proc/self/stat").exists():
        return {os.getpid(): (sum(os.times()[:4]), False)}
    found = {}
    for pid in (os.getpid(), *below(os.getpid())):
        with contextlib.suppress(OSError):  # ended meanwhile
            stat = _stat(pid)
            found[pid] = sum(map(int, stat[11:15])) / _TICKS, _ignores_ends(int(stat[1]))
    return found


def _ignores_ends(pid: int) -> bool:
    """Tell whether a process ignores the end of those that it has started."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(x.split()[1] for x in status.splitlines() if x.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (signal.SIGCHLD - 1) & 1)


def below(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = list(children.get(pid, ()))
    for child in found:  # grows meanwhile
        found += children.get(child, ())
    return found


def _stat(pid: int) -> list[str]:
    """Return what Linux says of a process after its name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def machine(packages: Iterable[str]) -> dict[str, Any]:
    """Return the processor, its cores, and the versions of Python and of what is compared."""
    try:
        said = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":", 1)[1].strip() for x in said if x.startswith("model name")), platform.machine())
    except OSError:
        model = platform.processor() or platform.machine()
    own = versions(packages, sys.executable)
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "versions": own}


def versions(packages: Iterable[str], python: str) -> dict[str, str]:
    """Return the versions of those packages that an interpreter has."""
    every = "{d.name.lower(): d.version for d in m.distributions()}"
    ask = f"import importlib.metadata as m, json; print(json.dumps({every}))"
    found = json.loads(subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout)
    return {name: found[name] for name in packages if name in found}


def told(lines: Iterable[Line]) -> str:
    """Return the table for people."""
    head = ("work", "against", "by the clock", "by CPU", "goal")
    rows = [head, *((x.work, x.against, amount(x.clock, x.unit), amount(x.cpu, x.unit), x.goal) for x in lines)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows)


def amount(value: float | None, unit: str) -> str:
    """Return a figure for people: a ratio with two decimals."""
    return "" if value is None else f"{value:.2f}" if unit == "x" else f"{value:g} {unit}"


def as_json(lines: Iterable[Line], command: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written under `benchmarks/results/`."""
    return {"command": command, "machine": dict(about), "lines": [asdict(x) for x in lines]}
