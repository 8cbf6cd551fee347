"""Which tables hold rows of a table back: what a sample goes through before it goes out."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ieat_data.data.schema import REJECTED
from ieat_data.stages.base import Inputs

# What of the rows of a table is judged, as the gates' names have it.
JUDGED: Mapping[str, str] = {
    "respond": "replies",
    "inject": "targets",
    "inject_dialogues": "dialogues",
    "pairs": "pairs",
}
# The gates that compare a row with benchmarks and with the other rows, and (GATES) all, in their order.
COMPARED: Mapping[str, tuple[str, ...]] = {
    "respond": ("decontaminate_replies", "dedup_replies"),
    "inject": ("decontaminate_targets", "dedup_targets"),
    "inject_dialogues": ("decontaminate_dialogues", "dedup_dialogues"),
    "pairs": ("decontaminate_pairs",),
}
GATES: Mapping[str, tuple[str, ...]] = {
    **COMPARED,
    "inject": (*COMPARED["inject"], "judge_targets"),
    "inject_dialogues": (*COMPARED["inject_dialogues"], "judge_dialogues"),
}


def screened_out(inputs: Inputs, table: str, shard: str) -> frozenset[str]:
    """Return the ids of a shard that do not go out, as far as the task reads the tables that say so."""
    return frozenset(
        i for t in GATES[table] if inputs.has(t, shard) for i in _ids(inputs.read(t, shard, ["id", "status"]))
    )


def _ids(verdicts: pa.Table) -> list[str]:
    ids: list[str] = verdicts.filter(pc.equal(verdicts["status"], REJECTED))["id"].to_pylist()
    return ids
