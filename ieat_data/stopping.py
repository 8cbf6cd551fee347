"""SIGINT, SIGTERM and SIGHUP end a command: it unwinds as from any exception, but not for long.

The first signal raises `Stopped` in the main thread. What hangs while it unwinds is cut off after ten seconds, or by a
second signal. Either way no process of ours is left, the last line says what to do, and the exit code is 128 + signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

from ieat_data import processes

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
ENDS_S = 10.0  # from the first signal to the end, whatever hangs
_ONE_S = 0.5  # signals so near to each other are one: a terminal that closes and its shell both send SIGHUP

_installed: list[int] = []
_received: int | None = None
_at = 0.0
_then = ""  # what the last line adds


class Stopped(KeyboardInterrupt):
    """The user, or a manager of jobs, ends this process: the one exception that Ray lets out of its waiting."""


def install() -> None:
    """Let the signals raise `Stopped` in the main thread, except those that the process was started to ignore."""
    _installed[:] = [s for s in SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]  # SIGHUP, by nohup
    install_again()


def install_again() -> None:
    """Put back the handlers after a library's native code has installed its own. Nothing happens without `install`."""
    if threading.current_thread() is threading.main_thread():
        for number in _installed:
            signal.signal(number, _on_signal)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keep a library (Ray) from taking SIGTERM for itself inside the block."""
    if signal.SIGTERM not in _installed:
        yield
        return
    install = signal.signal

    def other_than_ours(number: int, handler: Any) -> Any:
        return _on_signal if number == signal.SIGTERM else install(number, handler)

    signal.signal = other_than_ours  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = install
        install_again()


def resumes(yes: bool) -> None:
    """Say whether the command that runs goes on where it was, when it is given again."""
    global _then
    _then = " The same command resumes." if yes else ""


def begins_again() -> None:
    """Say that the command that runs keeps nothing, and does no harm when it is given again."""
    global _then
    _then = " The same command begins again."


def received() -> int | None:
    """Return the signal that ends this process."""
    return _received


def check() -> None:
    """Raise `Stopped` if a signal came. Its own exception gets lost inside a destructor or callback."""
    if _received is not None:
        raise Stopped(_received)


@contextlib.contextmanager
def kept_from_children(*numbers: int) -> Iterator[None]:
    """Never deliver these signals to processes that are started inside the block, and to this one after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave() -> NoReturn:
    """End this process after a signal: its other processes, the last line, the exit code.

    Threads that wait for a server are not waited for.
    """
    processes.end(processes.own, grace_s=0.0)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
            stream.flush()
    with contextlib.suppress(OSError):
        os.write(2, f"ieat: Stopped.{_then}\n".encode())
    os._exit(128 + (_received or signal.SIGINT))


def _on_signal(number: int, frame: FrameType | None) -> None:
    global _received, _at
    if _received is None:
        _received, _at = number, time.monotonic()
        threading.Thread(target=_leave_later, name="ieat-stopping", daemon=True).start()
        raise Stopped(number)
    if time.monotonic() - _at > _ONE_S:
        leave()


def _leave_later() -> None:
    time.sleep(ENDS_S)
    leave()
