"""What a row costs on its way through a build, against its peers: with an engine that answers at once, and without one.

Ours does what a build does: shards committed and synced one by one, answers stored as they come, everything checked.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.compare import Line, Options, Timed, compared
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
        for kind, goals in GOALS.items():
            found = timed_sides(Path(temporary) / kind, kind, [OURS, *goals], shards, rows, options)
            for peer, goal in goals.items():
                if peer in found.seconds:
                    yield found.line(WORK[kind], OURS, peer, goal)
            if options.small:  # each kind starts Ray twice
                return
        # of many shards: what a build costs once does not count
        found = timed_sides(Path(temporary) / "shards", "plain", [OURS, BARE], 100, rows, options)
        yield above(found.seconds, 100)


def timed_sides(folder: Path, kind: str, names: Sequence[str], shards: int, rows: int, options: Options) -> Timed:
    """Time these sides on a corpus of so many shards."""
    texts = plan(folder / "texts", corpus(folder, shards, rows), "plain").nodes["queries"].table.folder
    lines: dict[str, list[str | Path]] = {}
    for name in names:
        out = folder / "out" / name
        peer: list[str | Path] = [options.peers, "-m", "benchmarks.rows_peers", texts, out, name, kind]
        ours: list[str | Path] = [sys.executable, "-m", "benchmarks.rows_ours", folder, kind, "ray"]
        lines[name] = ours if name == OURS else peer
    with running(lines, folder) as sides:
        return compared(sides, options.rounds, warm=False)


def above(seconds: Mapping[str, Mapping[str, list[float]]], shards: int) -> Line:
    """Return the line of what a shard costs besides its rows."""
    took = {
        by: sorted(o - b for o, b in zip(seconds[OURS][by], seconds[BARE][by], strict=True)) for by in ("clock", "cpu")
    }
    each = {by: round(1000 * all_[len(all_) // 2] / shards, 1) for by, all_ in took.items()}
    both = {name: seconds[name] for name in (OURS, BARE)}
    return Line("a shard on Ray above a bare loop", BARE, "< 15 ms", each["clock"], each["cpu"], "ms", both)
