"""The most memory that driver, workers and engine of a build on Ray take, with 1, 4 and 16 times as many rows.

python -m benchmarks.rows_memory SHARDS     (one of the builds, for `make bench`)
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.compare import Line, Options, below
from benchmarks.instant import corpus

ROWS, SHARDS, TIMES = 250, 8, (1, 4, 16)
NAMES = {"ray::EngineActor": "engine", "ray::IDLE": "worker", "ray::_run_job": "worker"}


def measure(options: Options) -> Iterator[Line]:
    """Yield the memory of each process, as many times of that of the smallest build."""
    if options.small:  # three starts of Ray
        return
    found = {}
    for times in TIMES:
        line = [sys.executable, "-m", "benchmarks.rows_memory", str(SHARDS * times)]
        found[times] = json.loads(subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout)
    for who, least in found[1].items():
        for times in TIMES[1:]:
            work = f"peak memory of the {who}, {times} times the rows"
            yield Line(work, f"{least} MB", "flat", round(found[times][who] / least, 2))


def peaks() -> dict[str, int]:
    """The most memory in MB that this process, and each kind below it, has taken."""
    found = {"driver": _peak_mb(os.getpid())}
    for pid in below(os.getpid()):
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split(" ")[0].split("(")[0]
            if who := NAMES.get(name):
                found[who] = max(found.get(who, 0), _peak_mb(pid))
    return found


def _peak_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(x.split()[1]) >> 10 for x in lines if x.startswith("VmHWM"))


def main() -> None:
    from benchmarks.rows_ours import ready

    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as open_:
        folder = Path(temporary)
        corpus(folder, int(sys.argv[1]), ROWS)
        ready(folder, "answered", "ray", open_)
        print(json.dumps(peaks()))


if __name__ == "__main__":
    main()
