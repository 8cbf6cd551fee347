"""`explain`: the way of a row through a build, in text and as an object."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import ieat_data
from ieat_data.building import load_build
from ieat_data.cli import app
from ieat_data.cli.build import make_plan
from ieat_data.data.sample import logical
from ieat_data.decisions.log import seen_sample
from ieat_data.decisions.verdicts import REJECTED_IN_REVIEW
from ieat_data.recording.compare import quarantined
from ieat_data.stages.dialogue.asker import question_id
from tests.support import corpora
from tests.support.in_process import build_here
from tests.support.replayed import begin, go_on

pytestmark = pytest.mark.long


def quarantine(out: Path, stage: str) -> list[Any]:
    return list(quarantined(load_build(out / ".work").nodes[stage]))


def test_a_dialogue_is_followed_back_to_its_records_and_its_question(out: Path) -> None:
    sample = next(iter(ieat_data.load(out, "stage1_2_trajectory")))
    told = ieat_data.explain(out, sample["id"])
    assert {(o.source, o.key) for o in told.origins} >= {
        (u["source"], u["key"]) for u in sample["provenance"]["utterances"]
    }
    stages = {s.stage for s in told.steps}
    assert {"transcribe", "respond", "emotion", "inject", "reorganise", "inject_dialogues", "questions"} <= stages
    drawn = sample["instruction"]
    assert question_id(drawn["id"], drawn["speaker"]) in {s.id for s in told.steps if s.stage == "speak_questions"}
    (is_now,) = (s for s in told.samples if s.id == sample["id"])
    assert (out / is_now.file).is_file()
    assert sample["id"] in ieat_data.load(out, is_now.config).arrow(["id"]).column("id").to_pylist()
    assert f"a sample of stage1_2_trajectory, in {is_now.file}" in str(told)


def test_every_sample_has_a_way_back(out: Path) -> None:
    for sample in list(ieat_data.load(out).rows(["id", "provenance"]))[::25]:
        told = ieat_data.explain(out, sample["id"])
        assert {o.key for o in told.origins} >= {u["key"] for u in sample["provenance"]["utterances"]}


def test_a_record_is_followed_to_all_its_samples(out: Path) -> None:
    used: dict[str, set[str]] = {}
    for sample in ieat_data.load(out).rows(["id", "provenance"]):
        for u in sample["provenance"]["utterances"]:
            used.setdefault(u["key"], set()).add(sample["id"])
    key, samples = max(used.items(), key=lambda item: len(item[1]))
    told = ieat_data.explain(out, key)
    assert {s.id for s in told.samples} == samples
    assert str(told).splitlines()[0].endswith(f"went into {len(samples)} samples")


@pytest.mark.parametrize("stage", ["ingest", "queries", "respond", "inject", "inject_dialogues"])
def test_a_reject_says_where_and_why(out: Path, stage: str) -> None:
    q = quarantine(out, stage)[0]
    told = ieat_data.explain(out, q["id"][:16])
    first = told.rejects[0]
    assert (first.stage, first.id, first.reason, first.payload) == (stage, q["id"], q["reason"], q["payload"])
    assert f"rejected by {stage}: {q['reason']}" in str(told)
    assert told.samples == ()
    assert told.origins, "its corpus record"


def test_a_target_whose_question_could_not_be_spoken(tmp_path: Path) -> None:
    made, out = corpora.make(tmp_path), tmp_path / "out"
    build_here(
        make_plan(made.pipeline, made.profile, out, None, ["stages.speak_questions.attempts=1", "seed=2"], None), out
    )
    failed = {q["id"] for q in quarantine(out, "speak_questions")}
    plan = load_build(out / ".work")
    nodes = [plan.nodes[name] for name in ("inject", "inject_dialogues")]
    rows = [r for n in nodes for record in n.records.values() for r in n.table.read(record).to_pylist()]
    (target, *_) = (
        r["id"]
        for r in rows
        if r["instruction"] and question_id(r["instruction"]["id"], r["instruction"]["speaker"]) in failed
    )
    told = ieat_data.explain(out, target)
    assert "in no sample; what was made of it was rejected by speak_questions (" in str(told)
    others = {s.id for s in told.steps if s.stage in ("inject", "inject_dialogues") and s.id in {r["id"] for r in rows}}
    assert target in others and others & {r["id"] for r in rows if r["instruction"]} == {target}, (
        "not the others that drew this question"
    )


def test_a_build_under_way_is_told_as_far_as_it_is(tmp_path: Path) -> None:
    plan = begin(tmp_path / "out")
    go_on(plan, 12)
    committed = next(r for n in plan.nodes.values() for r in n.records.values() if r.ok)
    node = next(n for n in plan.nodes.values() if committed.shard in n.records)
    row = next(r for r in node.table.read(committed, ["id", "status"]).to_pylist() if r["status"] == "ok")
    told = ieat_data.explain(tmp_path / "out", row["id"])
    assert {s.stage for s in told.steps} >= {node.name}
    assert str(told).splitlines()[0].endswith("in no sample")
    with pytest.raises(ieat_data.UserError, match=r"no row has the id .*; not all of its tables are there"):
        ieat_data.explain(tmp_path / "out", "f" * 32)


def test_a_sample_that_people_rejected(tmp_path: Path) -> None:
    c = corpora.make(tmp_path, 2, decisions=str(tmp_path / "decisions"), configs=["stage1_1"])
    sample = next(iter(ieat_data.build(c.pipeline, c.profile, tmp_path / "out", in_process=True)))
    (tmp_path / "decisions").mkdir()
    decision = {
        "id": "1" * 32,
        "time": "2026-01-02T03:04:05.678Z",
        "reviewer": "ann",
        "kind": "sample",
        "of": "stage1_1",
        "item": sample["id"],
        "seen": seen_sample(logical(sample)),
        "decision": "reject",
        "reason": "bad_audio",
    }
    (tmp_path / "decisions" / "ann.jsonl").write_text(json.dumps(decision) + "\n")
    ieat_data.build(c.pipeline, c.profile, tmp_path / "out", in_process=True)
    told = ieat_data.explain(tmp_path / "out", sample["id"])
    assert f"rejected by stage1_1: {REJECTED_IN_REVIEW}" in str(told)
    assert told.samples == ()
    assert [o.key for o in told.origins] == [sample["provenance"]["utterances"][0]["key"]]


def test_what_is_not_there_is_one_line(out: Path, tmp_path: Path) -> None:
    with pytest.raises(ieat_data.UserError, match=r"no row has the id or the corpus key 'zzz'$"):
        ieat_data.explain(out, "zzz")
    with pytest.raises(ieat_data.UserError, match=r"\d+ rows have an id that begins with ''"):
        ieat_data.explain(out, "")
    with pytest.raises(ieat_data.UserError, match="no build has begun here"):
        ieat_data.explain(tmp_path, "zzz")


def test_the_command_prints_the_same(out: Path) -> None:
    sample = next(iter(ieat_data.load(out)))["id"]
    told = ieat_data.explain(out, sample)
    runner = CliRunner()
    assert runner.invoke(app, ["explain", str(out), sample[:12]]).stdout == f"{told}\n"
    printed = json.loads(runner.invoke(app, ["explain", str(out), sample, "--json"]).stdout)
    assert printed == json.loads(json.dumps(told.as_dict()))
    assert [s["stage"] for s in printed["steps"]] == [s.stage for s in told.steps]


def test_the_tables_may_lie_elsewhere(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out / ".work", tmp_path / "tables")
    sample = next(iter(ieat_data.load(out)))["id"]
    assert ieat_data.explain(tmp_path, sample, work=tmp_path / "tables").id == sample
