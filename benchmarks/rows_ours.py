"""Our side of `rows_path.py`: a build of one stage, with all that a build does for its shards.

    python -m benchmarks.rows_ours FOLDER STAGE ray|here

FOLDER: where `instant.corpus` wrote. Each time the stage's table is made anew, on a Ray and with an engine that are
there already, as those of the peers are.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.compare import timed
from benchmarks.instant import plan
from benchmarks.sides import served
from ieat_data.building import make_tables
from ieat_data.execution.local import InProcessEngines
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.ray_executor import Cluster
from ieat_data.storage.lease import holding


class Lasting:
    """An executor that outlasts its builds."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)


def ready(folder: Path, stage: str, where: str, open_: contextlib.ExitStack) -> Callable[[], Mapping[str, float]]:
    paths, work = (str(folder / "pipeline.yaml"), str(folder / "profile.yaml")), folder / f"work-{stage}-{where}"
    last: list[Any] = []

    def connect(begun: Plan, progress: Progress) -> Any:
        if not last:
            last.append((Cluster if where == "ray" else InProcessEngines)(begun, progress))
            open_.callback(last[0].close)
        return Lasting(last[0])

    def build() -> Mapping[str, float]:
        for made in (*work.glob(f"tables/{stage}-*"), work / "answers"):
            shutil.rmtree(made, ignore_errors=True)
        begun = plan(work, paths, stage)

        def make() -> None:
            with holding({begun.work: "--work"}, "make bench", print) as lease:
                make_tables(begun, connect, lease)

        return timed(make)

    build()
    return build


def main() -> None:
    folder, stage, where = sys.argv[1:]
    with contextlib.ExitStack() as open_:
        served(lambda: ready(Path(folder), stage, where, open_))


if __name__ == "__main__":
    main()
