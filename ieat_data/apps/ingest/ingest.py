"""One source alone as a table of a work folder, made by the same stage as in a build."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from ieat_data.building import catch_up, make_tables, preflight, writable
from ieat_data.config import Pipeline, Profile, Sources, load_source
from ieat_data.corpora import reader_class
from ieat_data.dataset.card import data_files
from ieat_data.dataset.publish import CARD, place, remove_old
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.stages import SOURCE_TABLES
from ieat_data.storage.lease import holding
from ieat_data.storage.open import at


def ingest(source: str, out: Path, limit: int | None, rows_per_shard: int) -> Node:
    """Build the table of `source` and put its shards into `out/data`: `ingest` for speech, `queries` for text.

    Raises:
        UserError: another build holds the folder.
    """
    kind = reader_class(load_source(source).reader).kind
    pipeline = Pipeline(
        name="ingest",
        sources=Sources(speech=(source,)) if kind == "speech" else Sources(text=(source,)),
        configs=(SOURCE_TABLES[kind],),
        rows_per_shard=rows_per_shard,
        limit=limit,
        max_reject_rate=1.0,  # the user wants to see the rejects, however many
    )
    profile = Profile(name="ingest", engines={}, shards_in_flight=os.cpu_count() or 1)
    writable(out, out / ".work")
    plan = Plan(pipeline, profile, out / ".work")
    preflight(plan)
    with holding({plan.work: "--out", at(out): "--out"}, f"ieat ingest {source}") as lease:
        catch_up(plan, lease)
        make_tables(plan, lease=lease)
        node = plan.nodes[pipeline.configs[0]]
        lease.check()
        folder = at(out / "data")
        names = [name for name, _ in place(node, folder)]
        pointer = {"configs": data_files({"default": [f"data/{name}" for name in names]})}
        at(out).replace(CARD, f"---\n{yaml.safe_dump(pointer, sort_keys=False)}---\n".encode())
        remove_old(folder, frozenset(names))
    return node
