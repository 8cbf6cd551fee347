"""Where does a build differ from a recording? Stage by stage in build order, row by row, column by column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ieat_data.diff import differences, word_diff
from ieat_data.engines.base import NOT_RECORDED
from ieat_data.engines.recording import Recording
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.paths import prompt_hashes
from ieat_data.recording.rows import LEVEL_STEP_S, reference_rows

Row = Mapping[str, Any]
LEVEL_TOLERANCE_DB = 0.3  # far above rounding, far below what is audible
RECORD_AGAIN = (
    "record again with ieat build … --record DIR (the shipped sample: make record-sample); "
    "engines are asked only for what is new"
)
_QUIET_DB = -70.0  # below this, a level is rounding noise


@dataclass(frozen=True)
class RowDifference:
    """A row that differs: `origin` names the corpus records it comes from, `lines` say what differs."""

    id: str
    origin: str
    lines: tuple[str, ...]


@dataclass
class StageDifference:
    """The rows of one stage that differ."""

    stage: str
    rows: list[RowDifference] = field(default_factory=list)
    lacking: int = 0  # rows that were rejected here because the recording lacks an answer


def compare(plan: Plan, recording: Recording) -> list[StageDifference]:
    """Return the stages whose rows differ from the recorded ones, in build order."""
    origins = Origins(plan)
    found = []
    for name, node in plan.nodes.items():
        before, now = _by_id(recording.rows(name)), _by_id(reference_rows(node))
        origins.add(recording.rows(name))
        why = {q["id"]: str(q["message"]) for q in quarantined(node) if q["reason"] == NOT_RECORDED}
        stage = StageDifference(name)
        for row_id in dict.fromkeys([*before, *now]):
            lines = tuple(_row(before.get(row_id), now.get(row_id), why.get(row_id)))
            if lines:
                stage.rows.append(RowDifference(row_id, origins.of(row_id), lines))
                stage.lacking += row_id in why
        if stage.rows:
            found.append(stage)
    return found


def changed_inputs(plan: Plan, recording: Recording) -> list[str]:
    """Return what has changed since the recording: prompts, source files, pipeline settings, engines."""
    header = recording.header
    prompts = _changed(header.prompts, prompt_hashes(["**/*"]))
    today = source_hashes(plan)
    sources = [f"{name}/{f}" for name, files in header.sources.items() for f in _changed(files, today.get(name, {}))]
    settings = differences(dict(header.pipeline), plan.pipeline.model_dump(mode="json"), "pipeline")
    engines = differences(_plain(header.engines), _plain(plan.engine_identities), "engines")
    decided = differences(_plain(header.decisions), _plain(decision_inputs(plan)), "decisions")
    return [*(f"prompts/{f}" for f in prompts), *(f"source {f}" for f in sources), *settings, *engines, *decided]


def decision_inputs(plan: Plan) -> dict[str, Any]:
    """Return the part of people's decisions that each stage depends on."""
    return {n: node.description["decisions"] for n, node in plan.nodes.items() if "decisions" in node.description}


def source_hashes(plan: Plan) -> dict[str, dict[str, str]]:
    """Return the sha256 of each small file of each source, as in the tables' fingerprints."""
    described = [node.description["depends"].get("sources", {}) for node in plan.nodes.values()]
    return {
        name: {path: mark for path, _, mark in files if isinstance(mark, str)}
        for sources in described
        for name, (_, _, files, *_) in sources.items()
    }


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [f for f in sorted({*before, *now}) if before.get(f) != now.get(f)]


def quarantined(node: Node) -> Iterator[Row]:
    """Yield the rows that the stage rejected, with the reasons."""
    for record in node.records.values():
        yield from node.table.quarantined(record)


class Origins:
    """Finds the corpus records that a row of any stage comes from, as far as the tables say."""

    def __init__(self, plan: Plan) -> None:
        self._of: dict[str, tuple[str, ...]] = {}
        for node in plan.nodes.values():
            columns = [
                c for c in ("id", "source", "key", "parent", "turns", "provenance") if c in node.stage.schema.names
            ]
            for record in node.records.values():
                self.add(node.table.read(record, columns).to_pylist())

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.get("source") and row.get("key"):
                self._of[row["id"]] = (f"{row['source']} {row['key']}",)
                continue
            parents = [row["parent"]] if row.get("parent") else []
            parents += [t["utterance"] for t in row.get("turns") or ()]
            parents += [u["utterance"] for u in (row.get("provenance") or {}).get("utterances", ())]
            if parents:
                self._of.setdefault(row["id"], tuple(dict.fromkeys(o for p in parents for o in self._of.get(p, ()))))

    def of(self, row_id: str) -> str:
        return " + ".join(self._of.get(row_id, ()))


def _by_id(rows: Sequence[Row] | Iterator[Row]) -> dict[str, Row]:
    return {row["id"]: row for row in rows}


def _row(before: Row | None, now: Row | None, lacking: str | None) -> Iterator[str]:
    if lacking is not None:
        yield lacking
    elif now is None:
        yield f"is missing{_saying(before or {})}"
    elif before is None:
        yield f"is new{_saying(now)}"
    else:
        for column in dict.fromkeys([*before, *now]):
            yield from _value(column, before.get(column), now.get(column))


def _value(at: str, before: Any, now: Any) -> Iterator[str]:
    """Yield a line for each place inside a column where two values differ."""
    if before == now:
        return
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _value(f"{at}.{key}", before.get(key), now.get(key))
    elif at.endswith("level_db") and isinstance(before, list) and isinstance(now, list):
        yield from _levels(at.removesuffix(".level_db"), before, now)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, (a, b) in enumerate(zip(before, now, strict=True)):
            yield from _value(f"{at}[{i}]", a, b)
    elif isinstance(before, str) and isinstance(now, str) and max(len(before), len(now)) > 24:
        yield f"{at}: {word_diff(before, now)}"
    else:
        yield f"{at}: {_short(before)} → {_short(now)}"


def _levels(at: str, before: Sequence[float], now: Sequence[float]) -> Iterator[str]:
    """Yield a line if the clip sounds different; differences in the last bits do not count."""
    far = [
        (abs(a - b), i)
        for i, (a, b) in enumerate(zip(before, now, strict=False))
        if max(a, b) > _QUIET_DB and abs(a - b) > LEVEL_TOLERANCE_DB
    ]
    if far:
        worst, first, last = max(far)[0], min(i for _, i in far), max(i for _, i in far)
        yield (
            f"{at}: sounds different from {first * LEVEL_STEP_S:.1f} to {(last + 1) * LEVEL_STEP_S:.1f} s, "
            f"by up to {worst:.1f} dB"
        )


def _saying(row: Row) -> str:
    """Return some of a row's text."""
    said = next((row[c] for c in ("text", "reply", "answer", "reference", "label", "reason") if row.get(c)), None)
    return f": {_short(said)}" if said else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return repr(text if len(text) <= 80 else text[:80] + "…") if isinstance(value, str) else text[:80]


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
