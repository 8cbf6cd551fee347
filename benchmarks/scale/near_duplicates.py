"""Near-duplicates among a million fabricated texts, with the product's code: signatures, then the barrier.

    python -m benchmarks.scale.near_duplicates [--texts 1000000] [--shard 512]

A tenth of the texts are another one with one word changed. Times are CPU seconds, memory is the process's peak without
the pages of scratch files. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ieat_data.checks.shingles import PLACES, shingles, signature
from ieat_data.config import Pipeline, Profile, Sources
from ieat_data.data.rows import Sketch
from ieat_data.data.schema import OK, schema_of, to_table
from ieat_data.hashing import row_id
from ieat_data.stages.base import Context, Inputs
from ieat_data.stages.gates.dedup import Deduplicate
from ieat_data.storage.shards import Table

WORDS, LENGTH = 20_000, 60  # different words, by Zipf's law; words of a think continuation and answer
NEAR = 0.1


def texts(n: int) -> Iterator[tuple[str, str, bool]]:
    """(id, text, whether it was made of an earlier one)."""
    draw = random.Random(0)
    words = [f"{draw.getrandbits(32):x}" for _ in range(WORDS)]
    weights = list(np.cumsum(1 / np.arange(1, WORDS + 1)))
    earlier: list[list[str]] = []
    for i in range(n):
        near = bool(earlier) and draw.random() < NEAR
        if near:
            text = list(draw.choice(earlier))
            text[draw.randrange(LENGTH)] = draw.choice(words)
        else:
            text = draw.choices(words, cum_weights=weights, k=LENGTH)
        if len(earlier) < 10_000:
            earlier.append(text)
        elif not near:
            earlier[draw.randrange(10_000)] = text
        yield row_id("bench", str(i)), " ".join(text), near


def sketch(n: int, shard: int, folder: Path) -> dict[str, Any]:
    """The shards that `decontaminate_targets` writes: the signature of one text a row."""
    table = Table(folder)
    table.create()
    seconds, made, near = 0.0, 0, 0
    rows: list[dict[str, Any]] = []
    for row, text, like in texts(n):
        near += like
        began = time.process_time()
        found = signature(shingles([text], "en", 3))
        rows.append({"id": row, "answered": found.view(np.uint64).tolist(), "answered_scope": 1, "status": OK})
        seconds += time.process_time() - began
        if len(rows) == shard:
            table.commit(f"s-{made:06d}", to_table(rows, schema_of(Sketch)))
            made, rows = made + 1, []
    if rows:
        table.commit(f"s-{made:06d}", to_table(rows, schema_of(Sketch)))
    return {"texts": n, "made_near": near, "us_a_text": round(1e6 * seconds / n, 1), "signature_bytes": PLACES}


def barrier(folder: Path) -> dict[str, Any]:
    """`dedup_targets` over all of them, its output built and thrown away."""
    records = Table(folder).records()
    parts = {("decontaminate_targets", s): Table(folder).part(r) for s, r in sorted(records.items())}
    ctx = Context(
        Pipeline(name="bench", sources=Sources(), configs=()), Profile(name="bench", engines={}), scratch=folder
    )
    stage = Deduplicate(of="inject")
    (task,) = stage.tasks(lambda t: [s for _, s in parts], ctx.pipeline, ctx.profile)
    before, began, wall = _anonymous_mb(), time.process_time(), time.monotonic()
    rejected = peak = largest = 0
    for _, out in stage.run(task, Inputs(parts), ctx):
        rejected += sum(r == "near_duplicate" for r in out["reason"].to_pylist())
        peak = max(peak, _anonymous_mb())
        if not largest:
            largest = sum(f.stat().st_size for d in folder.glob(".scratch-*") for f in d.iterdir())
    return {
        "rejected": rejected,
        "cpu_s": round(time.process_time() - began, 1),
        "wall_s": round(time.monotonic() - wall, 1),
        "peak_mb_above": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) - before,
        "held_mb_at_the_end": peak - before,
        "scratch_mb_at_the_end": largest >> 20,
    }


def _anonymous_mb() -> int:
    """Memory of this process that is no file's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon"))) >> 10


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--texts", type=int, default=1_000_000)
    args.add_argument("--shard", type=int, default=512, help="rows of a shard")
    asked = args.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder, out = Path(work), {}
        # each in a process of its own, for its peak of memory
        for name, function, given in (
            ("sketch", sketch, (asked.texts, asked.shard, folder)),
            ("barrier", barrier, (folder,)),
        ):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                out[name] = pool.apply(function, given)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
