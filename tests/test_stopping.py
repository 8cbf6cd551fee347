"""A signal ends a command in seconds, with one line, and leaves no process behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from ieat_data import processes
from tests.support.processes import gone

LINE = "ieat: Stopped. The same command resumes.\n"
COMMAND = """
import signal, subprocess, sys, time
from ieat_data import cli, processes, stopping
def app(standalone_mode):
    stopping.resumes(True)
    with processes.marked():
        child = subprocess.Popen(["sleep", "100"])
    print(child.pid, flush=True)
{body}
cli.app = app
cli.main()
"""
WORKS = "    time.sleep(100)"
HANGS = """
    try:
        time.sleep(100)
    finally:
        time.sleep(100)
"""
LOSES_IT = """
    class Odd:
        def __del__(self):
            time.sleep(0.5)
    Odd()  # an exception inside is told and forgotten
    for _ in range(100):
        stopping.check()
        time.sleep(0.1)
"""
CATCHES_IT = """
    try:
        time.sleep(100)
    except BaseException:
        raise RuntimeError("what a library makes of it")
"""


def begun(body: str, before: str = "", **options: object) -> tuple[subprocess.Popen[str], int]:
    """Start a command; return it and its child."""
    code = before + COMMAND.format(body=body)
    command = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        **{"stderr": subprocess.PIPE, **options},  # type: ignore[call-overload]
    )
    assert command.stdout is not None
    return command, int(command.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_with_one_line_and_its_own_exit_code(number: signal.Signals) -> None:
    command, child = begun(WORKS)
    command.send_signal(number)
    said = command.communicate(timeout=60)[1]
    assert (command.returncode, said) == (128 + number, LINE)
    assert gone(child, 1)


@pytest.mark.parametrize("body", [LOSES_IT, CATCHES_IT])
def test_nothing_keeps_a_command_from_ending_as_stopped(body: str) -> None:
    command, child = begun(body)
    time.sleep(0.2)
    command.send_signal(signal.SIGTERM)
    said = command.communicate(timeout=60)[1]
    assert command.returncode == 143
    assert said.endswith(LINE)
    assert gone(child, 1)


def test_what_hangs_while_it_ends_is_cut_off_after_a_while_or_by_a_second_signal() -> None:
    command, child = begun(HANGS, before="from ieat_data import stopping\nstopping.ENDS_S = 1.0\n")
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=60)[1] == LINE
    assert command.returncode == 130
    assert gone(child, 1)
    command, child = begun(HANGS)
    command.send_signal(signal.SIGINT)
    time.sleep(0.7)
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=3)[1] == LINE
    assert gone(child, 1)


def test_a_closed_terminal_is_no_traceback_and_no_process_that_stays() -> None:
    ours, theirs = pty.openpty()
    command, child = begun(WORKS, stderr=theirs, start_new_session=True)
    os.close(theirs)
    os.close(ours)  # writing to it is now an error
    command.send_signal(signal.SIGHUP)
    assert command.wait(timeout=60) == 129
    assert gone(child, 1)


def test_nohup_is_heeded() -> None:
    command, _ = begun(WORKS, before="import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n")
    command.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert command.poll() is None
    command.send_signal(signal.SIGTERM)
    assert command.communicate(timeout=60)[1] == LINE


def test_what_a_killed_driver_left_is_found_and_ended_and_nobody_else_s() -> None:
    command, child = begun(WORKS)
    assert child not in processes.orphans(), "its driver lives"
    command.kill()
    command.wait()  # not for its pipes, which the child holds
    with processes.marked():
        mine = subprocess.Popen(["sleep", "100"])
    unmarked = subprocess.Popen(["sleep", "100"])
    elsewhere = subprocess.Popen(["sleep", "100"], env={processes.VARIABLE: "1:1:1"})  # another container's driver
    time.sleep(0.2)
    assert processes.own() == [mine.pid]
    assert child in processes.orphans()
    assert processes.end(lambda: [p for p in processes.orphans() if p == child], grace_s=0.0) == 1
    assert gone(child, 1)
    assert not {mine.pid, unmarked.pid, elsewhere.pid} & set(processes.orphans())
    for process in (mine, unmarked, elsewhere):
        assert process.poll() is None
        process.kill()
        process.wait()


def test_the_mark_of_a_driver_is_gone_from_what_is_started_later() -> None:
    with processes.marked():
        assert os.environ[processes.VARIABLE] == processes.mark()
    assert processes.VARIABLE not in os.environ


def test_a_command_that_is_stopped_while_its_modules_are_read_is_one_line() -> None:
    code = (
        "import os, signal, sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from ieat_data.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (130, "ieat: Stopped.\n")


def test_a_command_that_keeps_nothing_says_that_it_begins_again() -> None:
    command, _ = begun("    stopping.begins_again()\n    time.sleep(100)")
    time.sleep(0.2)
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=60)[1] == "ieat: Stopped. The same command begins again.\n"
    assert command.returncode == 130
