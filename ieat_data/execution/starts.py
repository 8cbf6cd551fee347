"""How often an engine's process may start: twice to load, ten times between two answers.

Ray would start it again without end, which takes hours with real weights. A process notes its own steps in a file,
where the one that comes after it reads what became of it.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ieat_data.errors import UserError

LOAD_TRIES = 2
STARTS_BETWEEN_ANSWERS = 10
HANGS_BETWEEN_ANSWERS = 6  # each has cost a whole deadline
_TAIL_BYTES = 1 << 14


class Starts:
    """The starts of one replica in one build.

    Args:
        file: where they are noted; None notes nothing.
        build: a name of the build: what is noted of another one does not count.
    """

    def __init__(self, file: Path | None, build: str) -> None:
        self._file, self._build, self._answered = file, build, False

    def loading(self, what: str, log: Path | None = None) -> None:
        """Note that loading begins.

        Raises:
            UserError: it has begun too often; `log`, where its last words stand, is named.
        """
        steps = self._steps()
        tries = len(steps) - (len(steps) - steps[::-1].index("loaded") if "loaded" in steps else 0)
        starts = steps.count("loading")
        more = f"; its last line: {words}" if log is not None and (words := _last_line(log)) else ""
        where = f" (details: {log})" if log is not None else ""
        if tries >= LOAD_TRIES:
            raise UserError(f"{what}: its process died {tries} times while it was loading{more}{where}")
        if starts >= STARTS_BETWEEN_ANSWERS:
            raise UserError(f"{what}: its process died {starts} times in a row without one answer{more}{where}")
        if (hangs := steps.count("hung")) >= HANGS_BETWEEN_ANSWERS:
            raise UserError(f"{what}: it hung {hangs} times in a row without one answer (where: {log or 'its log'})")
        self._note("loading")

    def loaded(self) -> None:
        """Note that the engine is there."""
        self._note("loaded")

    def hung(self) -> None:
        """Note that a call has missed its deadline, which ends the process."""
        self._note("hung")

    def answered(self) -> None:
        """Note an answer: from now on all starts count anew."""
        if not self._answered and self._file is not None:
            self._file.unlink(missing_ok=True)
        self._answered = True

    def _steps(self) -> list[str]:
        if self._file is None or not self._file.is_file():
            return []
        steps = []
        for line in self._file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, TypeError):  # a line cut off by a crash
                build, step = json.loads(line)
                steps += [step] if build == self._build else []
        return steps

    def _note(self, step: str) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as f:
                f.write(json.dumps([self._build, step]) + "\n")


def _last_line(log: Path) -> str:
    """Return what the process said last, but for what this package logs of its own steps."""
    try:
        with log.open("rb") as f:
            f.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = f.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = (" ".join(x.split()) for x in reversed(lines) if x.strip() and " INFO " not in x)
    return next(said, "")[:200]
