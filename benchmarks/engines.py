"""The small engines of the `cpu` profile inside a build, against their libraries asked for the same, and a plain loop.

The requests are those of the sample's recording. *Ours* goes the whole way of a task: client, answers on disk, Ray, the
engine's actor. *The library* is given the same model, settings and requests, without us. *A plain loop* is what a user
writes: the library's own example, with its defaults, over the same texts and clips. Each round has requests of its own.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.compare import Line, Options, compared
from benchmarks.sides import running

SIDES = ("ours", "the library", "a plain loop")
GOALS = {"the library": "≥ 0.97", "a plain loop": "≥ 1.5"}
WORK = {"llm": "llama.cpp, 1.5B, 4 bits", "asr": "faster-whisper, base", "tts": "Kokoro"}
REQUESTS = {"llm": 8, "asr": 8, "tts": 8}


def measure(options: Options) -> Iterator[Line]:
    """Yield the ratios of each engine."""
    for role, work in WORK.items():
        n = 2 if options.small else REQUESTS[role]
        with tempfile.TemporaryDirectory() as folder:
            lines: dict[str, list[str | Path]] = {
                side: [sys.executable, "-m", "benchmarks.engine_sides", role, side, str(n), str(options.rounds)]
                for side in SIDES
            }
            with running(lines, Path(folder)) as sides:
                found = compared(sides, options.rounds, warm=False)
        for against, goal in GOALS.items():
            if {"ours", against} <= {*found.seconds}:
                yield found.line(f"{work}, {n} requests of the sample", "ours", against, goal)
