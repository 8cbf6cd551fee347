"""One source alone as a table of a work folder, made by the same stage as in a build."""

from __future__ import annotations

import os
from pathlib import Path

from ieat_data.building import make_tables
from ieat_data.config import Pipeline, Profile, Sources, load_source
from ieat_data.corpora import reader_class
from ieat_data.execution.plan import Node, Plan
from ieat_data.stages import SOURCE_TABLES


def ingest(source: str, work: Path, limit: int | None, rows_per_shard: int) -> Node:
    """Build the table of `source`: `ingest` for speech, `queries` for text; commit every shard."""
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
    plan = Plan(pipeline, profile, work)
    make_tables(plan)
    return plan.nodes[pipeline.configs[0]]
