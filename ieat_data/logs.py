"""What is told beside the progress: module loggers (`ieat_data.…`), and the files of WORK/logs that hold them.

    build.log                  what the driver did, tasks that were done again and why
    worker-HOST-PID.log        a process that does the tasks of stages
    engine-ROLE-I.log          a replica of an engine: with all that its libraries print

A worker's files hold its standard output and error whole, so that what a C library prints is there, too. On the
terminal nothing appears but warnings, unless `ieat -v` or `IEAT_LOG=debug` asks for more.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from ieat_data.errors import UserError
from ieat_data.masking import masked

VARIABLE = "IEAT_LOG"
PROGRESS = "ieat_data.progress"  # on the terminal already
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_ROOT = logging.getLogger("ieat_data")


class _Masked(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


_FORMAT = _Masked("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

_captured: Path | None = None


class _Terminal(logging.Handler):
    """Standard error, as it is when a message comes."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != PROGRESS:
            print(self.format(record), file=sys.stderr)


class _File(logging.FileHandler):
    """A file of WORK/logs. If it cannot be written (a full disk), the build goes on without."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


_TERMINAL = _Terminal()
_TERMINAL.setFormatter(_Masked("%(levelname)s %(name)s: %(message)s"))


class _Stream(io.TextIOWrapper):
    """Standard output or error of a worker, with secrets masked. What C libraries print does not pass here."""

    def __init__(self, number: int) -> None:
        binary = open(number, "wb", closefd=False)  # noqa: SIM115
        super().__init__(binary, encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def write(self, text: str) -> int:
        super().write(masked(text))
        return len(text)


def level(default: str) -> int:
    """Return the level that IEAT_LOG asks for.

    Raises:
        UserError: it is none of debug, info, warning, error.
    """
    asked = os.environ.get(VARIABLE) or default
    if asked.lower() not in _LEVELS:
        raise UserError(f"{VARIABLE}={asked}: expected one of {', '.join(_LEVELS)}")
    return _LEVELS[asked.lower()]


def on_terminal(verbose: bool) -> None:
    """Print log messages on standard error: warnings, or more where `verbose` or IEAT_LOG ask for it."""
    if verbose:
        os.environ[VARIABLE] = "debug"  # which Ray's workers on this machine inherit
    _TERMINAL.setLevel(level("warning"))
    _ROOT.setLevel(_TERMINAL.level)
    _ROOT.addHandler(_TERMINAL)


def chatty() -> bool:
    """Whether messages appear between the lines of the progress."""
    return level("warning") < logging.WARNING


@contextlib.contextmanager
def kept_in(file: Path) -> Iterator[None]:
    """Append log messages to `file` until the block ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = _File(file, encoding="utf-8")
    handler.setFormatter(_FORMAT)
    handler.setLevel(level("info"))
    before = _ROOT.level
    _ROOT.setLevel(min(handler.level, before or logging.WARNING))
    _ROOT.addHandler(handler)
    try:
        yield
    finally:
        _ROOT.removeHandler(handler)
        _ROOT.setLevel(before)
        handler.close()


def capture(folder: Path, name: str = "") -> None:
    """In a worker: send all that this process prints or logs from now on to a file in `folder`.

    Args:
        folder: WORK/logs, where the worker sees it, too.
        name: of the file, without its ending. None: that of the machine and the process.
    """
    global _captured
    file = folder / f"{name or f'worker-{socket.gethostname()}-{os.getpid()}'}.log"
    if file == _captured:
        return
    folder.mkdir(parents=True, exist_ok=True)
    to = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.flush()
        os.dup2(to, number)  # the descriptor itself: C libraries write there
    os.close(to)
    sys.stdout, sys.stderr = _Stream(1), _Stream(2)
    _ROOT.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FORMAT)
    _ROOT.addHandler(handler)
    _ROOT.setLevel(level("info"))
    _captured = file
