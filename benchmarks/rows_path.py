"""What a row costs on its way through a build, against its peers: with an engine that answers at once, and without one.

Ours does what a build does: shards committed and synced one by one, answers stored as they come, everything checked.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.compare import Line, Options, compared
from benchmarks.instant import corpus, plan
from benchmarks.sides import running

GOALS = {  # by kind, then peer
    "answered": {"Ray Data": "≥ 3", "datatrove": "≥ 2", "datasets.map": "≥ 1", "datasets.map, batched": "-"},
    "plain": {"Ray Data": "≥ 5", "datatrove": "≥ 4", "datasets.map": "≥ 1", "datasets.map, batched": "-"},
}
WORK = {"answered": "rows/s, an engine that answers at once", "plain": "rows/s, no engine"}
OURS, BARE = "ours on Ray", "a bare loop"


def measure(options: Options) -> Iterator[Line]:
    """Yield ratios to each peer, and milliseconds for a shard above a bare loop."""
    shards, rows = (2, 250) if options.small else (20, 1000)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        texts = plan(folder / "texts", corpus(folder, shards, rows), "plain").nodes["queries"].table.folder
        for kind, goals in GOALS.items():
            if options.small and kind == "plain":
                return
            lines: dict[str, list[str | Path]] = {
                OURS: [sys.executable, "-m", "benchmarks.rows_ours", folder, kind, "ray"]
            }
            for peer in (*goals, BARE):
                out = folder / "out" / f"{peer}-{kind}"
                lines[peer] = [options.peers, "-m", "benchmarks.rows_peers", texts, out, peer, kind]
            with running(lines, folder) as sides:
                found = compared(sides, options.rounds, warm=False)
            for peer, goal in goals.items():
                if peer in found.seconds:
                    yield found.line(WORK[kind], OURS, peer, goal)
            if kind == "plain":
                yield above(found.seconds, shards)


def above(seconds: Mapping[str, Mapping[str, list[float]]], shards: int) -> Line:
    """Return the line of what a shard costs besides its rows."""
    took = {
        by: sorted(o - b for o, b in zip(seconds[OURS][by], seconds[BARE][by], strict=True)) for by in ("clock", "cpu")
    }
    each = {by: round(1000 * all_[len(all_) // 2] / shards, 1) for by, all_ in took.items()}
    both = {name: seconds[name] for name in (OURS, BARE)}
    return Line("a shard on Ray above a bare loop", BARE, "< 15 ms", each["clock"], each["cpu"], "ms", both)
