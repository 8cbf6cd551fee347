"""Measurements of builds in a work folder, from their commit records; they replace the figures of `costs.yaml`.

Tables with other settings count too (a build of the first hundred records measures for the whole) if the same engines
made them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ieat_data.cost.figures import Figure, cost_table, unit_of
from ieat_data.errors import Damaged
from ieat_data.stages import SOURCE_TABLES, STAGES
from ieat_data.storage.shards import CommitRecord, Table
from ieat_data.storage.store import Store

_CHOOSING = ("kind", "appraise", "intent")  # they ask for a word's probability: nothing is generated
ENOUGH = 20  # rows or requests; fewer are no basis for a figure


def measured(work: Store, identities: Mapping[str, Mapping[str, Any]]) -> dict[str, Figure]:
    """Return figures by name. `identities`: the engines of the plan by role (`registry.identity`)."""
    records: dict[str, list[CommitRecord]] = defaultdict(list)
    known = json.loads(json.dumps(identities))
    for stage, engines, table in _tables(work):
        if all(known.get(role) == engine for role, engine in engines.items()):
            records[stage] += table.records().values()
    judges = {s: rs for s, rs in records.items() if STAGES[s].section == "judge" or s in _CHOOSING}
    found = dict(_speeds(usage(r for stage, rs in records.items() if stage not in judges for r in rs)))
    for stage, rs in records.items():
        found.update(_of_stage(stage, rs))
    if speed := found.get("speed.llm"):
        for stage, rs in judges.items():
            found.update(_of_judge(stage, usage(rs)["llm"], speed.value))
    return found


def _tables(work: Store) -> Iterator[tuple[str, Mapping[str, Any], Table]]:
    for name in (work / "tables").names():
        table = Table(work / "tables" / name)
        try:
            described = (table.store.read_json("plan.json") or {}).get("description", {})
        except Damaged:
            continue  # what is measured there cannot be told apart
        if described.get("stage") in STAGES:
            yield described["stage"], described["engines"], table


def usage(records: Iterable[CommitRecord]) -> dict[str, Counter[str]]:
    """Return the total use of each role (`engines/usage.py`)."""
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        for role, counts in record.engines.items():
            totals[role].update(counts)
    return dict(totals)


def _speeds(totals: Mapping[str, Counter[str]]) -> Iterator[tuple[str, Figure]]:
    for role, c in totals.items():
        unit = unit_of(role)
        what = "tokens" if unit == "tokens_out" else "s of audio"
        if c["requests"] >= ENOUGH and c["busy_s"] > 0 and c[unit] > 0:
            yield f"speed.{role}", _figure(c[unit], c["busy_s"], f"{c[unit]:.0f} {what} in {c['busy_s']:.0f} s")


def _of_stage(name: str, records: Iterable[CommitRecord]) -> Iterator[tuple[str, Figure]]:
    rows: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    by_source: dict[str, Counter[str]] = defaultdict(Counter)
    for r in records:
        expected = r.rejects.get("not_sampled", 0)  # not a fault of the rows: the pipeline wanted fewer
        one = Counter({"ok": r.ok + expected, "all": r.ok + sum(r.rejects.values()), "bytes": r.bytes})
        one.update({"audio_s": r.summary.get("audio_s", 0.0), "core_s": r.seconds, **r.summary.get("samples", {})})
        labels = r.summary.get("labels", {})
        one.update({"neutral": labels.get("neutral", 0), "labelled": sum(labels.values())})
        one.update({f"kind.{kind}": n for kind, n in r.summary.get("kinds", {}).items()})
        rows.update(one)
        by_source[r.shard.rpartition("-")[0]].update(one)
        if STAGES[name].engines and (counts := r.engines.get(STAGES[name].engines[0])):
            asked.update({**counts, "rows": one["all"]})
    if rows["pool"] >= ENOUGH:
        yield f"used.{name}", _figure(rows["used"], rows["pool"], f"{rows['used']} of {rows['pool']} samples")
    if rows["all"] < ENOUGH:
        return
    yield f"accept.{name}", _figure(rows["ok"], rows["all"], f"{rows['ok']} of {rows['all']} rows")
    yield f"bytes.{name}", _figure(rows["bytes"], rows["all"], f"{rows['all']} rows")
    if rows["labelled"]:
        yield "neutral.inject", _figure(rows["neutral"], rows["ok"], f"{rows['neutral']} of {rows['ok']} labels")
    for kind in ("feeling", "narration") if name == "kind" else ():
        yield f"{kind}.kind", _figure(rows[f"kind.{kind}"], rows["ok"], f"{rows[f'kind.{kind}']} of {rows['ok']} rows")
    if not STAGES[name].engines:
        yield f"core_s.{name}", _figure(rows["core_s"], rows["all"], f"{rows['all']} rows")
    if rows["audio_s"]:
        yield f"clip_s.{name}", _figure(rows["audio_s"], rows["ok"], f"{rows['ok']} clips")
        yield f"bytes_per_s.{name}", _figure(rows["bytes"], rows["audio_s"], f"{rows['audio_s']:.0f} s")
    for source, c in by_source.items() if name == SOURCE_TABLES["speech"] else ():
        if c["ok"] >= ENOUGH:
            yield f"clip_s.{source}", _figure(c["audio_s"], c["ok"], f"{c['ok']} clips")
            yield f"bytes_per_s.{source}", _figure(c["bytes"], c["audio_s"], f"{c['audio_s']:.0f} s")
    # an interrupted task that is run again finds answers of its first attempt, which no record counts
    if asked["requests"] >= max(asked["rows"], ENOUGH):
        yield f"tries.{name}", _figure(asked["requests"], asked["rows"], f"{asked['requests']} requests")
        if f"openings.{name}" in cost_table().figures:
            yield f"openings.{name}", Figure(value=0, kind="measured", source=f"counted in tries.{name}")
    if asked["requests"] >= ENOUGH and asked["tokens_out"]:
        for what in ("tokens_in", "tokens_out"):
            yield f"{what}.{name}", _figure(asked[what], asked["requests"], f"{asked['requests']} requests")


def _of_judge(name: str, c: Mapping[str, float], speed: float) -> Iterator[tuple[str, Figure]]:
    """Yield the figure of a stage that only chooses words: the tokens that the LLM would have generated meanwhile."""
    if c["requests"] >= ENOUGH and c["busy_s"] > 0:
        yield f"tokens_out.{name}", _figure(c["busy_s"] * speed, c["requests"], f"{c['requests']:.0f} requests")


def _figure(a: float, b: float, how: str) -> Figure:
    return Figure(value=a / b, kind="measured", source=f"{how} in this work folder")
