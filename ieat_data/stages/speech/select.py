"""Select queries: remove duplicates, then sample each source by hash. A barrier that reads only ids and texts."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pydantic import Field

from ieat_data.checks.query import dedup_key
from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Nothing, Query
from ieat_data.data.schema import OK, REJECTED, SKIPPED
from ieat_data.hashing import fingerprint, rank
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
        why = self._why(task, inputs, ctx)
        at = 0
        for shard in task.outputs:
            rows = inputs.rows(Joined, "queries", shard)
            statuses, reasons = [], []
            for query in rows:
                said = None
                if query.status == OK:
                    said, at = _REASONS[why[at]], at + 1
                statuses.append(SKIPPED if query.status != OK else REJECTED if said else OK)
                reasons.append(said)
            yield shard, self.table([r.id for r in rows], [None] * len(rows), statuses, reasons)

    def _why(self, task: Task, inputs: Inputs, ctx: Context) -> np.ndarray:
        """Return for each accepted query, in the order of shards and rows, its place in `_REASONS` (bytes).

        Millions of queries are held at once: 34 bytes for each, and as much again while they are sorted.
        """
        keys, ids, of, named = bytearray(), bytearray(), array("H"), dict[str, int]()
        for shard in task.outputs:
            for query in inputs.rows(Candidate, "queries", shard):
                if query.status == OK:
                    keys += bytes.fromhex(fingerprint(dedup_key(query.text, query.language))[:32])
                    ids += bytes.fromhex(query.id)
                    of.append(named.setdefault(query.source, len(named)))
        key, id_, source = _numbers(keys), _numbers(ids), np.frombuffer(of, np.uint16)
        why = np.zeros(len(source), np.uint8)
        # of each key the smallest id stays, so that the choice does not depend on the order of files
        order = np.lexsort((id_[:, 1], id_[:, 0], key[:, 1], key[:, 0]))
        why[order[1:]] = (key[order[1:]] == key[order[:-1]]).all(axis=1)
        if (k := self.settings.per_source) is not None:
            for name, number in named.items():
                fit = np.flatnonzero((source == number) & (why == 0))
                ranks = bytearray()
                for i in fit:
                    ranks += bytes.fromhex(
                        rank(ids[16 * i : 16 * i + 16].hex(), "select", name, ctx.pipeline.seed)[0][:32]
                    )
                ranked = _numbers(ranks)
                why[fit[np.lexsort((ranked[:, 1], ranked[:, 0]))[k:]]] = _NOT_SAMPLED
        return why


_REASONS = (None, "duplicate", "not_sampled")
_NOT_SAMPLED = 2


def _numbers(digests: bytearray) -> np.ndarray:
    """Return digests of 16 bytes as pairs of numbers (n, 2) that sort as the digests do."""
    return np.frombuffer(digests, ">u8").reshape(-1, 2)
