"""An object in its own process, for libraries whose calls may never return.

A thread that hangs cannot be ended, and it keeps its locks and its share of the GPU. A process can be ended: the hung
call fails, a new process takes the next one, and the caller (a Ray actor) survives, however often this happens.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ieat_data.errors import EngineDied, EngineHung, UserError

_END_S = 10.0  # a killed process ends at once, unless its GPU driver blocks


@dataclass(frozen=True)
class _Raised:
    """What a process sends before it ends."""

    error: str
    user: bool


class Child:
    """`build(*arguments)` in its own process, which is restarted after it had to be ended.

    Args:
        build: a class or function at the top level of a module; the process imports it by name.
        arguments: its arguments, picklable.

    Raises:
        UserError: raised by `build`.
        EngineDied: `build` failed otherwise.
    """

    def __init__(self, build: Callable[..., Any], *arguments: Any) -> None:
        self._build, self._arguments = build, arguments
        self._process: Any = None
        self._start()

    def call(self, method: str, *arguments: Any, timeout_s: float) -> Any:
        """Call `method` of the object and return its result.

        An exception in `method` ends the process: to keep it, return errors instead. If the process is already gone
        when the call begins, another one is started, without a time limit: that is not the call's fault.

        Raises:
            EngineHung: no answer within `timeout_s` seconds.
            EngineDied: the process ended.
        """
        if self._process is None or not self._process.is_alive():
            self.close()
            self._start()
        try:
            self._connection.send((method, arguments))
            if not self._connection.poll(timeout_s):
                raise EngineHung(f"no answer within {timeout_s:g} s")
            return self._receive()
        except (EOFError, OSError):
            raise EngineDied(f"its process ended{self._exit()}") from None
        except EngineDied:
            self.close()
            raise

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join(_END_S)
            self._connection.close()
            self._process = None

    def _start(self) -> None:
        # a forked process would inherit the locks of threads that it does not have
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._build, self._arguments), daemon=True)
        self._process.start()
        theirs.close()  # now only the process has a copy: when it ends, reading ends too
        try:
            self._receive()
        except (EOFError, OSError):
            raise EngineDied(f"its process ended while it was loading{self._exit()}") from None
        except (EngineDied, UserError):
            self.close()
            raise

    def _receive(self) -> Any:
        answer = self._connection.recv()
        if isinstance(answer, _Raised):
            raise UserError(answer.error) if answer.user else EngineDied(answer.error)
        return answer

    def _exit(self) -> str:
        """Return ` (exit code N)` of the ended process."""
        process = self._process
        process.join(_END_S)
        code = process.exitcode
        self.close()
        return f" (exit code {code})"


def _serve(connection: Connection, build: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        served = build(*arguments)
        connection.send(None)
        while True:
            method, given = connection.recv()
            connection.send(getattr(served, method)(*given))
    except EOFError:
        pass  # the parent is gone
    except Exception as e:
        traceback.print_exc()
        user = isinstance(e, UserError)
        connection.send(_Raised(str(e) if user else f"{type(e).__name__}: {e}", user))
    finally:
        os._exit(1)  # do not wait for hanging threads


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
