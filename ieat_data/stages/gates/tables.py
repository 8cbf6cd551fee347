"""Which gates may reject the rows of a table before they become samples."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from ieat_data.config import Pipeline
from ieat_data.data.schema import REJECTED
from ieat_data.stages.base import Inputs
from ieat_data.stages.grouping import writes

# What the gates judge in the rows of a table, in words.
JUDGED: Mapping[str, str] = {
    "respond": "replies",
    "inject": "targets",
    "inject_turns": "turns",
    "inject_dialogues": "dialogues",
    "pairs": "pairs",
}
# The gates that compare a row with benchmarks and with other rows, and (GATES) all gates, in order.
COMPARED: Mapping[str, tuple[str, ...]] = {
    "respond": ("decontaminate_replies", "dedup_replies"),
    "inject": ("decontaminate_targets", "dedup_targets"),
    "inject_turns": ("decontaminate_turns", "dedup_turns"),
    "inject_dialogues": ("decontaminate_dialogues", "dedup_dialogues"),
    "pairs": ("decontaminate_pairs",),
}
GATES: Mapping[str, tuple[str, ...]] = {
    **COMPARED,
    "inject": (*COMPARED["inject"], "judge_targets"),
    "inject_turns": (*COMPARED["inject_turns"], "judge_turns"),
    "inject_dialogues": (*COMPARED["inject_dialogues"], "judge_dialogues"),
}


def made(table: str, pipeline: Pipeline) -> bool:
    """Tell whether a pipeline may make a table that is judged: only some let turns be written."""
    return table != "inject_turns" or writes(pipeline)


def screened_out(inputs: Inputs, table: str, shard: str) -> frozenset[str]:
    """Return the ids of a shard that the gates rejected, as far as the task reads their tables."""
    gates = (t for t in inputs.gates.get(table, GATES[table]) if inputs.has(t, shard))
    return frozenset(i for t in gates for i in _ids(inputs.read(t, shard, ["id", "status"])))


def _ids(verdicts: pa.Table) -> list[str]:
    import pyarrow.compute as pc

    ids: list[str] = verdicts.filter(pc.equal(verdicts["status"], REJECTED))["id"].to_pylist()
    return ids
