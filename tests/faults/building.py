"""One small build through Ray, started as a user starts it, watched from outside and started again."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.processes import Process, below
from tests.faults.shim import Shim
from tests.support import corpora

ROOT = Path(__file__).resolve().parents[2]
ENDS_S = 240.0  # a build that takes longer hangs: alone it takes some seconds


class Lab:
    """A folder with a corpus, where builds are made one after the other."""

    def __init__(self, folder: Path, ray: Path) -> None:
        self.folder, self.ray, self.shim = folder, ray, Shim(folder, folder / "built")
        self.corpora = corpora.make(folder, 4, {"slow_s": 0.02}, rows_per_shard=4, min_rows_for_rate=1000)
        self._made = 0
        self._last: Build | None = None

    def new(self) -> Build:
        """Return a build into a new folder."""
        self._made += 1
        self._last = Build(self, self.folder / "built" / f"out-{self._made}")
        return self._last

    def close(self) -> None:
        """End what the last build has left, when a run is broken off."""
        if self._last is not None:
            self._last.close()


class Driver:
    """One run of `ieat build`."""

    def __init__(self, lab: Lab, out: Path, sets: Sequence[str] = (), skew_s: int = 0) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.faults.joining_early",
            "build",
            lab.corpora.pipeline,
            "-p",
            lab.corpora.profile,
        ]
        command += ["-o", str(out), *(x for s in sets for x in ("--set", s))]
        env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        env |= {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(lab.ray), "OMP_NUM_THREADS": "1"}
        self._log = lab.folder / f"driver-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=env | lab.shim.environment(skew_s),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self.pid, self._known, self._began = self._process.pid, dict[Process, None](), time.monotonic()

    def ended(self) -> int | None:
        """Return the exit status of a run that has ended."""
        return self._process.poll()

    def late(self) -> bool:
        return time.monotonic() - self._began > ENDS_S

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float = ENDS_S) -> int | None:
        """Wait for the end; return the exit status, or None if it does not come."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def processes(self) -> list[Process]:
        """Return the processes below the driver, and remember them: they may outlive it."""
        found = below(self.pid)
        self._known |= dict.fromkeys(found)
        return found

    def left(self) -> list[Process]:
        """Return the processes that have outlived the driver."""
        return [p for p in self._known if p.alive()]

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def exceptions(self) -> list[str]:
        """Return the last lines of tracebacks that the user got to see."""
        shown = re.split(r"^Traceback \(most recent call last\):$", self.said(), flags=re.M)[1:]
        return [next((x for x in one.splitlines() if x and not x[0].isspace()), "")[:200] for one in shown[-1:]]

    def last_line(self) -> str:
        lines = [x for x in self.said().splitlines() if x.strip()]
        return lines[-1][:300] if lines else ""


class Build:
    """A build into `out`, whatever number of runs it takes."""

    def __init__(self, lab: Lab, out: Path) -> None:
        self.lab, self.out, self._before = lab, out, 0
        self.driver = Driver(lab, out)
        self.runs = [self.driver]
        self.failed: list[str] = []  # last lines of runs that ended by themselves, and not well
        self.rude: list[str] = []  # exceptions that a user got to see as tracebacks

    def committed(self) -> int:
        """Return the number of commits so far."""
        n = 0
        for path in self.out.glob(".work/tables/*/records/[!.]*"):
            with contextlib.suppress(OSError):
                n += path.read_bytes().count(b"\n") if path.suffix == ".jsonl" else 1
        return n

    def resume(self) -> None:
        """Start the same command again, undisturbed; what has outlived the driver goes on beside it."""
        self.lab.shim.rest()
        self._before = self.committed()
        self.driver = Driver(self.lab, self.out)
        self.runs.append(self.driver)

    def reach(self, commits: int, rng: random.Random) -> bool:
        """Let it run until there are so many commits, and one of this run; False if it has ended well before."""
        while self.committed() < max(commits, self._before + 1):
            if (status := self.driver.ended()) == 0:
                return False
            if status is not None:
                self._again()
            elif self.driver.late():
                self._hung()
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.4))
        return True

    def finish(self, runs: int = 6) -> bool:
        """Run the same command until it ends well; False if it does not."""
        for _ in range(runs):
            status = self.driver.wait()
            if status == 0:
                self.close()
                return True
            if status is None:
                self._hung()
            else:
                self._again()
        return False

    def close(self) -> None:
        """End all that is left of it."""
        self.lab.shim.rest()
        if self.driver.ended() is None:
            self.driver.processes()
            self.driver.send(signal.SIGKILL)
            self.driver.wait(10)
        for run in self.runs:
            for process in run.left():
                process.kill()

    def _again(self) -> None:
        """Note why a run has ended, and resume."""
        if self.driver.ended() != -signal.SIGKILL:
            self.failed.append(self.driver.last_line())
            self.rude += self.driver.exceptions()
        self.resume()

    def _hung(self) -> None:
        self.failed.append(f"hangs: {self.driver.last_line()}")
        self.close()
        self.resume()
