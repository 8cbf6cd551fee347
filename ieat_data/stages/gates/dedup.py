"""Of near-duplicates one stays: a barrier over the signatures that `decontaminate` made.

Two samples are near-duplicates if they are of one task and language, and the model says nearly the same in both; or the
user does, with the same emotions. The one with the smallest id stays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ieat_data.checks.shingles import PLACES
from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined
from ieat_data.data.rows import NearDuplicate
from ieat_data.data.schema import OK, REJECTED, SKIPPED
from ieat_data.stages.base import Context, Inputs, Made, Reject, Stage, Task
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates import tables
from ieat_data.stages.gates.clusters import Clusters, Duplicate
from ieat_data.stages.gates.decontaminate import ANSWERED, SAID

KINDS = (SAID, ANSWERED)


class Deduplicate(Stage):
    """Of near-duplicates one stays. A barrier; its shards align with those that were screened.

    Args:
        of: the table whose rows are held back.
    """

    row = NearDuplicate
    expected: ClassVar[frozenset[str]] = frozenset({"near_duplicate"})
    section = "screened.near_duplicates"

    def __init__(self, of: str, settings: Any = None) -> None:
        super().__init__(settings)
        self.of, self.name = of, f"dedup_{tables.JUDGED[of]}"
        self.inputs = (f"decontaminate_{tables.JUDGED[of]}",)

    def asked_for(self, pipeline: Pipeline) -> bool:
        return pipeline.near_duplicates is not None and tables.made(self.of, pipeline)

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        assert pipeline.near_duplicates is not None
        return {"near_duplicates": pipeline.near_duplicates.model_dump()}

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.accepted(self.name, forecast.loads[self.inputs[0]].ok)

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> Any:
        alike = pipeline.near_duplicates
        if not alike or not made:
            return None
        return {**alike.model_dump(), "rejected": sum(m.rejects["near_duplicate"] for m in made)}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        names = tuple(shards(self.inputs[0]))
        if names:
            yield Task(self.name, "all", names, tuple((self.inputs[0], s) for s in names))

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        limits = ctx.pipeline.near_duplicates
        assert limits is not None
        # a threshold above 1 is never reached: such a text is not compared
        thresholds = [2.0 if t is None else t for t in (limits.said, limits.answered)]
        with tempfile.TemporaryDirectory(dir=ctx.scratch, prefix=".scratch-") as folder:
            clusters = Clusters(Path(folder), thresholds)
            for shard in task.outputs:
                clusters.add(*_signatures(inputs.read(self.inputs[0], shard)))
            at, duplicates = 0, clusters.duplicates()
            following = next(duplicates, None)
            for shard in task.outputs:
                rows = inputs.rows(Joined, self.inputs[0], shard)
                found: dict[int, Duplicate] = {}
                while following is not None and following.row < at + len(rows):
                    found[following.row - at] = following
                    following = next(duplicates, None)
                yield shard, self._shard(rows, found, clusters, ctx)
                ctx.quarantine.clear()  # it holds only this shard's: a whole build's would not fit into memory
                at += len(rows)

    def _shard(self, rows: list[Joined], found: dict[int, Duplicate], clusters: Clusters, ctx: Context) -> pa.Table:
        made: list[NearDuplicate | None] = [None] * len(rows)
        statuses = [OK if r.status == OK else SKIPPED for r in rows]
        reasons: list[str | None] = [None] * len(rows)
        for i, duplicate in found.items():
            of, kind = clusters.name(duplicate.of), KINDS[duplicate.kind]
            ctx.reject(rows[i].id, Reject("near_duplicate", f"of {of}: {kind} {duplicate.similarity:.2f}"))
            made[i] = NearDuplicate(of, kind, round(duplicate.similarity, 3))
            statuses[i], reasons[i] = REJECTED, "near_duplicate"
        return self.table([r.id for r in rows], made, statuses, reasons)


def _signatures(table: pa.Table) -> tuple[list[str], list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]]:
    """Return a shard in the form that `Clusters.add` takes."""
    import pyarrow.compute as pc

    texts = []
    for kind in KINDS:
        column = table[kind].combine_chunks()
        there = np.asarray(pc.is_valid(column))
        numbers = pc.list_flatten(column).to_numpy(zero_copy_only=False)
        scopes = pc.drop_null(table[f"{kind}_scope"]).to_numpy()
        texts.append((there, numbers.view(np.uint8).reshape(-1, PLACES), scopes))
    return table["id"].to_pylist(), texts
