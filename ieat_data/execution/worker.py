"""What runs in a Ray worker: one task of one stage, from reading its inputs to its commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ieat_data.config import EngineConfig, Pipeline, Profile
from ieat_data.decisions.verdicts import NONE, saved
from ieat_data.engines import registry
from ieat_data.engines.cache import ResponseCache
from ieat_data.engines.client import Client, EngineClient, Pool
from ieat_data.engines.recording import Recording, recorded_answers
from ieat_data.engines.replay import ReplayClient
from ieat_data.execution.job import Job
from ieat_data.stages.base import Context, Inputs, Stage
from ieat_data.stages.catalogue import catalogue
from ieat_data.storage.shards import CommitRecord, Table

_log = logging.getLogger(__name__)

# role, its block in the profile, arguments common to all clients
MakeClient = Callable[[str, EngineConfig, dict[str, Any]], Client]


def perform(job: Job, cache: ResponseCache, client: MakeClient) -> Iterator[tuple[Stage, Context, str, pa.Table]]:
    """Run a task: yield each resulting shard, commit nothing."""
    pipeline, profile = Pipeline.model_validate(job.pipeline), Profile.model_validate(job.profile)
    known = catalogue(pipeline)
    stage = known.stages[job.task.table].configured(pipeline)
    clients = {}
    for role in stage.engines:
        engine = profile.engines[role]  # type: ignore[index]
        common = {"identity": job.engines[role], "cache": cache, "wants": registry.wants(role, engine)}
        clients[role] = client(role, engine, common)
    inputs = Inputs(job.parts, known.gates)
    ctx = Context(
        pipeline, profile, clients, inputs, saved(*job.verdicts) if job.verdicts else NONE, scratch=job.table.here
    )
    for shard, table in stage.run(job.task, inputs, ctx):
        yield stage, ctx, shard, table


def run_job(
    job: Job,
    pools: Mapping[str, Pool],
    progress: Callable[[str, int], None],
    tell: Callable[[str], None] = _log.warning,
    waits: Callable[[str, str, Sequence[str]], None] = lambda role, where, rows: None,
) -> list[CommitRecord]:
    """Run a task with the engines behind `pools`, or from a recording if the profile says so; commit its outputs.

    `progress` is called with the table and the number of answers that came, `tell` with why nothing moves,
    `waits` with an engine's role, this task and its rows that wait for an answer.
    """
    started = time.monotonic()
    _log.info("%s/%s begins", job.task.table, job.task.name)
    replayed = job.profile["recording"] is not None
    recorded = recorded_answers(job.known, job.task.table) if job.known else {}
    cache = ResponseCache(None if replayed else job.answers, {k: a.answer for k, a in recorded.items()}, job.joined)

    def client(role: str, engine: EngineConfig, common: dict[str, Any]) -> Client:
        if replayed:
            assert job.known is not None
            return ReplayClient(role, recorded, Recording(job.known).header.engines[role], **common)
        asking[role] = EngineClient(
            pools[role],
            chunk=engine.chunk,
            progress=lambda n: progress(job.task.table, n),
            tell=tell,
            waits=lambda rows: waits(role, f"{job.task.table}/{job.task.name}", rows),
            **common,
        )
        return asking[role]

    for role in job.engines:  # a try before this one may have ended without a word
        waits(role, f"{job.task.table}/{job.task.name}", ())
    records: list[CommitRecord] = []
    begun = started
    asking: dict[str, EngineClient] = {}
    try:
        for stage, ctx, shard, table in perform(job, cache, client):
            ids = set(table.column("id").to_pylist())
            rejected = [q for q in ctx.quarantine if q["id"] in ids]
            removed, ctx.removed = ctx.removed, []
            took = time.monotonic() - begun  # since the shard before: those of a task's shards add up to the task
            begun += took
            records.append(
                Table(job.table).commit(
                    shard,
                    table,
                    quarantine=rejected,
                    removed=removed,
                    inputs=job.inputs,
                    summary={**stage.summarise(table), **ctx.notes, **cache.take_notes()},
                    seconds=took,
                    engines={role: c.take_usage() for role, c in asking.items()},
                    scattered=stage.scattered,
                )
            )
    finally:
        cache.close()
    rows = sum(r.rows for r in records)
    _log.info("%s/%s: %d rows in %.1f s", job.task.table, job.task.name, rows, time.monotonic() - started)
    return records
