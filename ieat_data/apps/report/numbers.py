"""The numbers of a sample that a list is sorted and narrowed by: what was measured, heard and judged of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ieat_data.apps.report.view import Part, StageView, View
from ieat_data.stages import SOURCE_TABLES, STAGES
from ieat_data.stages.gates.tables import GATES

_SHARDS_KEPT = 256  # rows of a group come in the order of their hashes, from any of its shards

Scores = Mapping[str, float]
Judged = Mapping[tuple[str, str], float]


class Numbers:
    """Reads the numbers from the tables of the work folder. Where that is not there, a number is None."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._mos = lru_cache(_SHARDS_KEPT)(self._read_mos)
        self._judge = lru_cache(_SHARDS_KEPT)(self._read_judge)

    def of(self, row: Mapping[str, Any], part: Part) -> dict[str, float | None]:
        """Return the numbers of a sample, the worst one where it has several turns.

        Returns:
            `score`: of the emotion, 0 to 1. `error_rate`: WER or CER of what the ASR heard. `mos`: overall quality, 1
            to 5, as rated in the build, else as the corpus says. `judge`: the judge's mean, 1 to 5.
        """
        used = row["provenance"]["utterances"]
        felt = [m["emotion"]["score"] for m in row["messages"] if m["role"] == "user" and m["emotion"]]
        rates = [u["error_rate"] for u in used]
        clips = [self._mos(u["shard"]).get(u["utterance"]) for u in used]
        judged = self._judged(row, part)
        worst = {"score": _least(felt), "error_rate": _most(rates), "mos": _least(clips), "judge": judged}
        return {k: None if v is None else round(v, 3) for k, v in worst.items()}

    def _judged(self, row: Mapping[str, Any], part: Part) -> float | None:
        """Return the score of the target that a sample was made of; of a dialogue out of targets, the lowest one."""
        used, task = row["provenance"]["utterances"], row["task"]
        key = row["provenance"]["parent"], task
        for shard in dict.fromkeys((part.shard, *(u["shard"] for u in used))):
            if (found := self._judge(shard).get(key)) is not None:
                return found
        return _least([self._judge(u["shard"]).get((u["utterance"], task)) for u in used])

    def _read_mos(self, shard: str) -> Scores:
        found: dict[str, float] = {}
        columns = {SOURCE_TABLES["speech"]: "dnsmos"}
        columns |= {n: "overall" for n, s in STAGES.items() if s.section == "audio_checks.mos"}
        for name, column in columns.items():  # what the build measured takes the place of what a corpus says
            rows = self._rows(name, shard, ("id", column))
            found |= {r["id"]: r[column] for r in rows if r[column] is not None}
        return found

    def _read_judge(self, shard: str) -> Judged:
        found: dict[tuple[str, str], float] = {}
        for table, gates in GATES.items():
            judges = [g for g in gates if g in STAGES and STAGES[g].section == "judge"]
            scores = {r["id"]: r["score"] for g in judges for r in self._rows(g, shard, ("id", "score"))}
            if not any(s is not None for s in scores.values()):
                continue
            for r in self._rows(table, shard, ("id", "parent", "task")):
                if (score := scores.get(r["id"])) is not None:
                    found[r["parent"], r["task"]] = score
        return found

    def _rows(self, name: str, shard: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        stage: StageView | None = self._view.stages.get(name)
        record = stage.records.get(shard) if stage else None
        if stage is None or stage.table is None or record is None:
            return []
        if not set(columns) <= set(stage.schema_names(record)):
            return []
        rows: list[dict[str, Any]] = stage.table.read(record, columns).to_pylist()
        return rows


def _least(values: list[float | None]) -> float | None:
    return min((v for v in values if v is not None), default=None)


def _most(values: list[float | None]) -> float | None:
    return max((v for v in values if v is not None), default=None)
