"""Select queries: remove duplicates, then sample each source by hash. A barrier that reads only ids and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
from pydantic import Field

from ieat_data.checks.query import dedup_key
from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Nothing, Query
from ieat_data.data.schema import OK, REJECTED, SKIPPED
from ieat_data.hashing import fingerprint, top_k
from ieat_data.stages.base import Context, Inputs, Stage, StageSettings, Task
from ieat_data.stages.forecast import Forecast, Load


class SelectSettings(StageSettings):
    """The settings of `select`."""

    per_source: int | None = Field(None, ge=1, description="queries kept of each source; none: all")


@row
class Candidate(Joined):
    """A query to choose from."""

    source: str = Query.source
    language: str = Query.language
    text: str = Query.text


class Select(Stage):
    """The queries to be spoken: each once, and no more than wanted. Its shards align with those of `queries`."""

    name = "select"
    inputs = ("queries",)
    row = Nothing
    Settings = SelectSettings
    expected = frozenset({"duplicate", "not_sampled"})

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.accepted(self.name, forecast.loads["queries"].ok)
        per_source = self.settings.per_source
        if per_source is not None and load.rows:
            share = load.ok / sum(c.rows for c in forecast.corpora if c.kind == "text")
            load.ok = sum(min(per_source, c.rows * share) for c in forecast.corpora if c.kind == "text")
        return load

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        names = tuple(shards("queries"))
        if names:
            yield Task(self.name, "all", names, tuple(("queries", s) for s in names))

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        reason: dict[str, str] = {}
        first: dict[str, str] = {}
        pools: dict[str, list[str]] = {}
        for shard in task.outputs:
            for query in inputs.rows(Candidate, "queries", shard):
                if query.status != OK:
                    continue
                key = fingerprint(dedup_key(query.text, query.language))[:32]
                # the smallest id stays, so that the choice does not depend on the order of files
                if first.setdefault(key, query.id) != query.id:
                    loser = max(first[key], query.id)
                    first[key] = min(first[key], query.id)
                    reason[loser] = "duplicate"
                pools.setdefault(query.source, []).append(query.id)
        if (k := self.settings.per_source) is not None:
            for source, ids in pools.items():
                fit = [i for i in ids if i not in reason]
                kept = set(top_k(fit, k, "select", source, ctx.pipeline.seed))
                reason.update({i: "not_sampled" for i in fit if i not in kept})
        for shard in task.outputs:
            rows = inputs.rows(Joined, "queries", shard)
            why = [reason.get(r.id) for r in rows]
            statuses = [
                SKIPPED if r.status != OK else REJECTED if said else OK for r, said in zip(rows, why, strict=True)
            ]
            yield shard, self.table([r.id for r in rows], [None] * len(rows), statuses, why)
