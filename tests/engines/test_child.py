"""A process that serves an object: answers, time limits, and every way in which it may end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ieat_data.engines.child import Child
from ieat_data.errors import EngineDied, EngineHung, UserError
from tests.support.processes import alive, gone

pytestmark = pytest.mark.long


class Served:
    def __init__(self, trouble: str = "", marker: str = "") -> None:
        if marker and Path(marker).exists():
            trouble = "exit"
        if trouble == "user":
            raise UserError("no such model")
        if trouble == "raise":
            raise ValueError("bad weights")
        if trouble == "exit":
            os._exit(3)

    def double(self, text: str) -> str:
        return text * 2

    def pid(self) -> int:
        return os.getpid()

    def hang(self) -> None:
        # as a library does that waits for a thread of its own
        thread = threading.Thread(target=threading.Event().wait)
        thread.start()
        thread.join()

    def fail(self) -> None:
        raise ValueError("worse and worse")

    def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


@pytest.fixture(scope="module")
def child() -> Child:
    return Child(Served)


def test_calls_are_answered_by_one_process(child: Child) -> None:
    pid = child.call("pid", timeout_s=60)
    assert pid != os.getpid()
    assert child.call("double", "ab", timeout_s=60) == "abab"
    assert child.call("pid", timeout_s=60) == pid


@pytest.mark.parametrize(
    ("method", "timeout_s", "error", "message"),
    [
        ("hang", 0.5, EngineHung, r"within 0\.5 s"),
        ("fail", 60, EngineDied, "ValueError: worse and worse"),
        ("crash", 60, EngineDied, r"exit code -11"),
    ],
)
def test_what_goes_wrong_ends_the_process_and_the_next_call_has_another(
    child: Child, method: str, timeout_s: float, error: type[Exception], message: str
) -> None:
    pid = child.call("pid", timeout_s=60)
    with pytest.raises(error, match=message):
        child.call(method, timeout_s=timeout_s)
    assert gone(pid)
    assert child.call("double", "c", timeout_s=60) == "cc"
    assert child.call("pid", timeout_s=60) != pid


def test_a_process_that_ended_between_two_calls_is_no_fault_of_the_next(child: Child) -> None:
    pid = child.call("pid", timeout_s=60)
    os.kill(pid, signal.SIGKILL)
    # it counts as alive until the last of its threads is gone
    until = time.monotonic() + 30
    while pid in [p.pid for p in multiprocessing.active_children()] and time.monotonic() < until:
        time.sleep(0.01)
    assert child.call("double", "d", timeout_s=60) == "dd"


def test_faults_in_loading_are_told() -> None:
    with pytest.raises(UserError, match=r"^no such model$"):
        Child(Served, "user")
    with pytest.raises(EngineDied, match="ValueError: bad weights"):
        Child(Served, "raise")
    with pytest.raises(EngineDied, match=r"while it was loading \(exit code 3\)"):
        Child(Served, "exit")


def test_one_that_cannot_be_loaded_again_is_tried_at_every_call(tmp_path: Path) -> None:
    marker = tmp_path / "broken"
    child = Child(Served, "", str(marker))
    marker.touch()
    with pytest.raises(EngineDied, match="ValueError"):
        child.call("fail", timeout_s=60)
    with pytest.raises(EngineDied, match="while it was loading"):
        child.call("double", "e", timeout_s=60)
    marker.unlink()
    assert child.call("double", "e", timeout_s=60) == "ee"
    child.close()


@pytest.mark.parametrize("method", ["pid", "hang"])
def test_it_ends_with_its_parent_whatever_it_does(method: str) -> None:
    program = f"""
import os, sys, threading
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_child import Served
from ieat_data.engines.child import Child
if __name__ == "__main__":
    child = Child(Served)
    print(child.call("pid", timeout_s=60), flush=True)
    child.call({method!r}, timeout_s=60)
    threading.Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert gone(pid)
