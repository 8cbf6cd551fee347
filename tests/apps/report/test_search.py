"""What a list is searched, sorted and narrowed by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ieat_data.apps.report.numbers import Numbers
from ieat_data.apps.report.search import MARKS, of_rejected, of_sample
from ieat_data.apps.report.view import Part, View
from ieat_data.apps.report.write import write
from ieat_data.dataset.verify import samples
from tests.apps.report.read import columns, texts
from tests.support.hostile import HOSTILE


@pytest.fixture(scope="module")
def report(view: View, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("searched")
    write(view, out, audio=0)
    return out


def test_all_that_is_said_is_there_to_search(built: Path, report: Path) -> None:
    by_id = dict(zip(columns(report, "samples")["id"], texts(report, "samples"), strict=True))
    for s in samples(built):
        text = by_id[s["id"]]
        for m in s["messages"]:
            assert all(x in text for x in (m["content"], m["transcript"], m["think"]) if x)
        assert (s["instruction"] or {"text": ""})["text"] in text
        assert all(x["speaker"] in text for x in s["spans"] if x["speaker"])
        assert text.count(s["id"]) == 1
    rejected = columns(report, "rejected")
    assert all(i in t for i, t in zip(rejected["id"], texts(report, "rejected"), strict=True))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_can_pass_for_a_mark(text: str) -> None:
    row = {"payload": {"text": f"\x01{text}\x06\n"}, "row": {}, "origins": [], "message": "", "id": "0" * 32}
    marks = [c for c in of_rejected(row) if c < " "]
    assert marks == ["\x07", MARKS["id"]]


def test_a_text_is_there_once(built: Path) -> None:
    sample = max(samples(built), key=lambda s: len(s["messages"]))
    said = [m["transcript"] for m in sample["messages"] if m["transcript"]]
    assert all(of_sample(sample).count(MARKS["user"] + t) == 1 for t in said)


def test_numbers_are_those_of_sample_and_corpus(built: Path, report: Path, view: View) -> None:
    listed = columns(report, "samples")
    at = {i: n for n, i in enumerate(listed["id"])}
    ingest = view.stages["ingest"]
    assert ingest.table
    tables = [pq.read_table(ingest.table.folder / r.file, columns=["id", "dnsmos"]) for r in ingest.records.values()]
    dnsmos = {r["id"]: r["dnsmos"] for t in tables for r in t.to_pylist()}
    seen = 0
    for s in samples(built):
        n, used = at[s["id"]], s["provenance"]["utterances"]
        felt = [m["emotion"]["score"] for m in s["messages"] if m["emotion"]]
        assert listed["score"][n] == pytest.approx(min(felt), abs=1e-3)
        assert listed["error_rate"][n] == pytest.approx(max(u["error_rate"] for u in used), abs=1e-3)
        known = [v for u in used if (v := dnsmos.get(u["utterance"])) is not None]
        assert listed["mos"][n] == (pytest.approx(min(known), abs=1e-3) if known else None)
        seen += bool(known)
    assert seen > 10 and set(listed["judge"]) == {None}


class Tables(Numbers):
    """Reads tables that stand in a dictionary."""

    def __init__(self, view: View, tables: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
        super().__init__(view)
        self._tables = tables

    def _rows(self, name: str, shard: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        return [{c: r.get(c) for c in columns} for r in self._tables.get((name, shard), [])]


def test_a_judge_is_that_of_the_target_and_the_lowest_of_a_dialogue(view: View) -> None:
    target = {"id": "t1", "parent": "u1", "task": "empathy"}, {"id": "t2", "parent": "u2", "task": "empathy"}
    other = {"id": "t3", "parent": "d1", "task": "trajectory"}
    numbers = Tables(
        view,
        {
            ("inject", "a-00000"): list(target),
            ("judge_targets", "a-00000"): [{"id": "t1", "score": 4.25}, {"id": "t2", "score": 3.5}],
            ("inject_dialogues", "group-00000"): [other],
            ("judge_dialogues", "group-00000"): [{"id": "t3", "score": 2.125}],
            ("mos", "a-00000"): [{"id": "u1", "overall": 3.0}],
            ("ingest", "a-00000"): [{"id": "u1", "dnsmos": 2.0}, {"id": "u2", "dnsmos": 2.5}],
        },
    )
    used = [{"utterance": u, "shard": "a-00000", "error_rate": None} for u in ("u1", "u2")]

    def of(task: str, parent: str, turns: int, shard: str) -> dict[str, float | None]:
        row = {"task": task, "messages": [], "provenance": {"parent": parent, "utterances": used[:turns]}}
        return numbers.of(row, Part("c", Path("x"), shard))

    assert of("empathy", "u1", 1, "a-00000") == {"score": None, "error_rate": None, "mos": 3.0, "judge": 4.25}
    assert of("empathy", "d1", 2, "group-00000")["judge"] == 3.5
    assert of("trajectory", "d1", 2, "group-00000")["judge"] == 2.125
    assert of("empathy", "d1", 2, "group-00000")["mos"] == 2.5, "what the build measured takes the corpus's place"
    assert of("reasoning", "u9", 1, "b-00000")["judge"] is None
