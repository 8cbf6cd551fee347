"""The estimate of a plan with its work folder; the estimate made before a build, beside its measurements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ieat_data.cost.corpora import Stated, corpora
from ieat_data.cost.estimate import Estimate, estimate
from ieat_data.cost.figures import Figures, unit_of
from ieat_data.cost.measured import measured, usage
from ieat_data.errors import Damaged
from ieat_data.execution.plan import Plan
from ieat_data.hashing import fingerprint
from ieat_data.stages import SOURCE_TABLES
from ieat_data.storage.shards import CommitRecord
from ieat_data.storage.store import Store

NAME = "cost.json"  # in the work folder: times are not part of what is published or compared
_NOTHING = Stated({}, {})


def estimate_plan(
    plan: Plan, stated: Stated = _NOTHING, gpus: int | None = None, price: float | None = None
) -> Estimate:
    """Estimate the cost of a plan, with the measurements of its work folder."""
    figures = Figures(measured(plan.work, plan.engine_identities))
    counted: Counter[str] = Counter()
    for name in SOURCE_TABLES.values():
        for task in plan.nodes[name].tasks if name in plan.nodes else ():
            counted[str((task.unit or {})["source"])] += int((task.unit or {})["take"])
    # a source of the pipeline without tasks is empty
    counted.update(dict.fromkeys((*plan.pipeline.sources.speech, *plan.pipeline.sources.text), 0))
    sizes = corpora(plan.pipeline, plan.profile, stated, figures, counted)
    return estimate(plan.pipeline, plan.profile, sizes, figures, gpus, price)


def remember(plan: Plan) -> None:
    """Save the estimate before a build begins; a resumed build keeps the first one."""
    tables = [node.table.name for node in plan.nodes.values()]
    if plan.recording is None and not _planned(plan.work, tables):
        planned = {"tables": _key(tables), "planned": estimate_plan(plan).plain()}
        plan.work.replace_json(NAME, planned, indent=1)


def _planned(work: Store, tables: Iterable[str]) -> dict[str, Any]:
    """Return the estimate saved when these tables' build began; empty if there is none, or it is for other tables."""
    written: dict[str, Any] = {}
    with suppress(Damaged):  # an estimate can be made again
        written = work.read_json(NAME) or {}
    return dict(written["planned"]) if written.get("tables") == _key(tables) else {}


def _key(tables: Iterable[str]) -> str:
    return fingerprint(sorted(tables))


def compared(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return `compared_tables` of a plan."""
    return compared_tables(plan.work, {n.table.name: n.records.values() for n in plan.nodes.values()})


def compared_tables(work: Store, tables: Mapping[str, Iterable[CommitRecord]]) -> dict[str, dict[str, Any]]:
    """Return by role the planned work and the work of the committed shards. Empty if no engine was asked.

    `tables`: the records of each table's folder. `work` is in `unit`, `hours` are those of one replica, `per_s` is
    one replica's work per second.
    """
    asked = usage(r for records in tables.values() for r in records)
    pools = _planned(work, tables).get("pools", {})
    found = {}
    for role, counts in asked.items():
        if not counts["requests"]:
            continue
        pool = pools.get(role)
        unit = pool["unit"] if pool else unit_of(role)
        hours = counts["busy_s"] / 3600
        per_s = counts[unit] / counts["busy_s"] if counts["busy_s"] else None
        found[role] = {
            "unit": unit,
            "planned": pool and _of_pool(pool),
            "measured": {"requests": counts["requests"], "work": counts[unit], "hours": hours, "per_s": per_s},
        }
    return found


def _of_pool(pool: dict[str, Any]) -> dict[str, Any]:
    return {"work": pool["work"], "hours": pool["hours"], "per_s": pool["speed"]["value"] if pool["speed"] else None}
