"""A deadline for each call of an engine: a process that misses one writes down where it hangs, and ends.

A thread that hangs cannot be ended, and whatever it holds (a lock, Python's own, a GPU) hangs with it. A process can:
Ray starts another one, and whoever made the call asks again, in smaller calls.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from ieat_data import processes

# seconds for one request, by role; a profile's `deadline_s` takes its place
SECONDS = {"llm": 300.0, "asr": 300.0, "ser": 120.0, "tts": 300.0, "mos": 60.0, "speaker": 60.0, "codec": 120.0}
LOAD_S = 3600.0  # for weights of hundreds of GB on a network disk
FIRST_CALL = 3.0  # so many times as long: it compiles kernels and fills caches
_HELD_S = 5.0  # later, a process ends in which no Python runs any more

_log = logging.getLogger(__name__)


class Deadlines:
    """The deadlines of one process. Each call has its own; the first that is missed ends the process.

    Args:
        request_s: seconds for one request.
        missed: called before the process ends.
    """

    def __init__(self, request_s: float, missed: Sequence[Callable[[], None]] = ()) -> None:
        self._request_s, self._missed, self._warm = request_s, missed, False
        self._ends: dict[object, tuple[float, str]] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._watch, name="ieat-deadlines", daemon=True).start()

    def seconds(self, requests: int) -> float:
        """Return how long a call of so many requests may take."""
        return self._request_s * max(requests, 1) * (1.0 if self._warm else FIRST_CALL)

    @contextlib.contextmanager
    def within(self, seconds: float, what: str) -> Iterator[None]:
        """End the process if the block is not left within `seconds`."""
        if seconds == math.inf:
            yield
            return
        own = object()
        self._set(own, (time.monotonic() + seconds, f"{what} took over {seconds:g} s"))
        try:
            yield
        finally:
            self._set(own, None)

    def warm(self) -> None:
        """Note that the first call is over."""
        self._warm = True

    def _set(self, key: object, end: tuple[float, str] | None) -> None:
        with self._changed:
            if end is None:
                del self._ends[key]
            else:
                self._ends[key] = end
            if self._ends:
                left = min(at for at, _ in self._ends.values()) - time.monotonic()
                # needs no lock of Python's: ends a process whose native code holds it, and says where
                faulthandler.dump_traceback_later(max(left, 0.0) + _HELD_S, exit=True, file=sys.stderr)
            else:
                faulthandler.cancel_dump_traceback_later()
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                at, what = min(self._ends.values(), default=(None, ""))
                if at is None or at > time.monotonic():
                    self._changed.wait(None if at is None else at - time.monotonic())
                    continue
            for note in self._missed:
                with contextlib.suppress(OSError):
                    note()
            end_process(what)


def end_process(why: str) -> None:
    """End this process and what it has started; say where it is."""
    _log.error("%s: this process ends, another one starts", why)
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    for pid in processes.below(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    os._exit(1)
