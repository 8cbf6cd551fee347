"""Builds on Ray that end before they are done: by a signal, or because Ray itself is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import corpora

TAG = "IEAT_TEST_TAG"
pytestmark = pytest.mark.long


class Begun:
    """A slow build in a session of its own, and all processes that come of it."""

    def __init__(self, folder: Path) -> None:
        self.out, self.tag = folder / "out", f"{TAG}={folder}"
        c = corpora.make(folder, 4, engine={"slow_s": 0.3})
        options = ["-p", c.profile, "-o", str(self.out), "--set", "profile.engines.tts.nice=7"]
        self.driver = subprocess.Popen(
            [sys.executable, "-m", "ieat_data", "build", c.pipeline, *options],
            env={**os.environ, TAG: str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def committed(self) -> int:
        return len(list(self.out.glob(".work/tables/*/records/*.json")))

    def wait(self, records: int) -> None:
        until = time.monotonic() + 120
        while self.committed() < records:
            assert self.driver.poll() is None, self.driver.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)

    def processes(self, title: str = "") -> list[int]:
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and self.tag.encode() in (folder / "environ").read_bytes():
                    zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
                    if not zombie and title in (folder / "cmdline").read_bytes().decode(errors="replace"):
                        found.append(int(folder.name))
            except OSError:
                continue
        return found

    def ended(self, within_s: float) -> tuple[int, str]:
        said = self.driver.communicate(timeout=within_s)[1]
        return self.driver.returncode, said


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Begun]:
    build = Begun(tmp_path)
    yield build
    for pid in build.processes():
        os.kill(pid, signal.SIGKILL)


def test_a_closed_terminal_ends_a_build_with_all_that_ray_has_started(begun: Begun) -> None:
    begun.wait(3)
    nice = [os.getpriority(os.PRIO_PROCESS, pid) for pid in (begun.driver.pid, *begun.processes("ray::EngineActor"))]
    assert nice.count(nice[0] + 7) == 1, "the one engine that steps back"
    os.killpg(begun.driver.pid, signal.SIGHUP)  # as the kernel does it: to the driver and to Ray's processes
    code, said = begun.ended(12)
    assert (code, said.splitlines()[-1]) == (129, "ieat: Stopped. The same command resumes.")
    assert begun.processes() == []
    assert "Traceback" not in said


def test_a_build_goes_on_without_its_counter_and_ends_with_one_line_without_ray(begun: Begun) -> None:
    begun.wait(2)
    (counter,) = begun.processes("ray::Meter")
    os.kill(counter, signal.SIGKILL)
    begun.wait(begun.committed() + 2)
    (raylet,) = begun.processes("raylet/raylet")
    os.kill(raylet, signal.SIGKILL)
    code, said = begun.ended(20)
    assert (code, said.splitlines()[-1]) == (
        2,
        "ieat: Ray is gone: its process raylet ended (out of memory, or killed?). Everything committed stays: run the "
        "same command again",
    )
    assert "Traceback" not in said
    assert begun.processes() == []
