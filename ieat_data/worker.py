"""What runs in a Ray worker: one task of one stage, from reading its inputs to its commit; and the engines' actors."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ieat_data.answers import Answers
from ieat_data.config import EngineConfig, Pipeline, Profile
from ieat_data.engines import registry
from ieat_data.engines.client import Client, EngineClient, EngineDown, Pool
from ieat_data.engines.usage import BusyClock
from ieat_data.recording.files import Recording, recorded_answers
from ieat_data.recording.replay import ReplayClient
from ieat_data.review.verdicts import saved
from ieat_data.shards import Record, Table
from ieat_data.stages import STAGES
from ieat_data.stages.base import Context, Inputs, Stage, Task


@dataclass(frozen=True)
class Job:
    """A task with everything that a worker needs to do it."""

    task: Task
    pipeline: Mapping[str, Any]
    profile: Mapping[str, Any]
    parts: Mapping[tuple[str, str], Path]  # (table, shard) → its file
    inputs: str  # their digest, for the record
    folder: Path
    answers: Path
    engines: Mapping[str, Mapping[str, Any]]  # role → identity
    known: Path | None  # a recording whose answers need not be asked for
    verdicts: Path | None = None  # what people decided, where the stage heeds it


# role, its block in the profile, what every client takes
MakeClient = Callable[[str, EngineConfig, dict[str, Any]], Client]


def perform(job: Job, answers: Answers, client: MakeClient) -> Iterator[tuple[Stage, Context, str, pa.Table]]:
    """Do a task: yields each shard that comes out, and commits nothing."""
    pipeline, profile = Pipeline.model_validate(job.pipeline), Profile.model_validate(job.profile)
    cls = STAGES[job.task.table]
    stage = cls(cls.Settings.model_validate(pipeline.stages.get(cls.name, {})))
    clients = {}
    for role in cls.engines:
        engine = profile.engines[role]  # type: ignore[index]
        common = {"identity": job.engines[role], "answers": answers, "wants": registry.wants(role, engine)}
        clients[role] = client(role, engine, common)
    inputs = Inputs(job.parts)
    # the clips of the prompts are for the stages that speak or compare voices; those that draw a speaker need the names
    columns = None if {"tts", "speaker"} & set(cls.engines) else ["voice", "language"]
    speakers = [r for s in inputs.shards("speakers") for r in inputs.rows("speakers", s, columns)]
    ctx = Context(pipeline, profile, clients, speakers, saved(job.verdicts), scratch=job.folder)
    for shard, table in stage.run(job.task, inputs, ctx):
        yield stage, ctx, shard, table


def run_job(job: Job, pools: Mapping[str, Pool], progress: Callable[[str, int], None]) -> list[Record]:
    """Do a task with the engines behind `pools`, or where the profile says so from a recording; commit its outputs."""
    started = time.monotonic()
    replayed = job.profile["recording"] is not None
    recorded = recorded_answers(job.known, job.task.table) if job.known else {}
    answers = Answers(None if replayed else job.answers, {k: a.answer for k, a in recorded.items()})

    def client(role: str, engine: EngineConfig, common: dict[str, Any]) -> Client:
        if replayed:
            assert job.known is not None
            return ReplayClient(role, recorded, Recording(job.known).header.engines[role], **common)
        asking[role] = EngineClient(
            pools[role], chunk=engine.chunk, progress=lambda n: progress(job.task.table, n), **common
        )
        return asking[role]

    records = []
    asking: dict[str, EngineClient] = {}
    try:
        for stage, ctx, shard, table in perform(job, answers, client):
            ids = set(table.column("id").to_pylist())
            rejected = [q for q in ctx.quarantine if q["id"] in ids]
            removed, ctx.removed = ctx.removed, []
            records.append(
                Table(job.folder).commit(
                    shard,
                    table,
                    quarantine=rejected,
                    removed=removed,
                    inputs=job.inputs,
                    summary={**stage.summarise(table), **ctx.notes},
                    seconds=time.monotonic() - started,
                    engines={role: c.take_usage() for role, c in asking.items()},
                )
            )
    finally:
        answers.close()
    return records


class EngineActor:
    """One replica of an engine in a process of its own."""

    def __init__(self, role: str, profile: Mapping[str, Any], helpers: Mapping[str, Sequence[str]]) -> None:
        import ray

        config = Profile.model_validate(profile)
        # by name: an actor that is started again looks up those it calls on again
        called = {r: _Caller(RayPool([ray.get_actor(n) for n in names])) for r, names in helpers.items()}
        self.engine = registry.build(role, config.engines[role], called)  # type: ignore[index]
        self.clock = BusyClock()

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        """End what the engine started: processes of its own would live on when this one is killed."""
        if close := getattr(self.engine, "close", None):
            close()

    def call(self, method: str, requests: list[Any]) -> tuple[list[Any], float]:
        """The answers, and the seconds of the engine that they took."""
        with self.clock.call() as busy_s:
            answers: list[Any] = getattr(self.engine, method)(requests)
        return answers, busy_s()


class RayPool:
    """Calls spread over the actors of one engine; two calls wait at each, so that none runs dry."""

    def __init__(self, actors: Sequence[Any]) -> None:
        self.actors = actors

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        import ray
        from ray.exceptions import RayActorError

        # in an order of this run's own: with more actors than calls, all tasks would ask the first few
        actors = random.sample(self.actors, len(self.actors))
        waiting = list(range(len(chunks)))[::-1]
        running: dict[Any, tuple[int, int]] = {}
        load = [0] * len(actors)
        while waiting or running:
            while waiting and min(load) < 2:
                at, i = load.index(min(load)), waiting.pop()
                running[actors[at].call.remote(method, list(chunks[i]))] = (i, at)
                load[at] += 1
            (ref, *_), _ = ray.wait(list(running), num_returns=1)
            i, at = running.pop(ref)
            load[at] -= 1
            try:
                yield i, *ray.get(ref)
            except RayActorError as e:
                raise EngineDown(f"the engine's process died: {e}") from e


class _Caller:
    """How one engine calls on another: the batch calls, without a store of answers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __getattr__(self, method: str) -> Callable[[Sequence[Any]], list[Any]]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda requests: next(iter(self._pool.run(method, [list(requests)])))[1] if requests else []
