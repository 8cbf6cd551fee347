"""What goes out of the accepted samples: nothing of a benchmark, and of near-duplicates one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import plain
from ieat_data.data.rows import NearDuplicate, Sketch, Target
from ieat_data.data.schema import schema_of, table_of, to_table
from ieat_data.data.thoughts import join
from ieat_data.dataset.verify import samples, verify
from ieat_data.errors import UserError
from ieat_data.stages.base import Context, Inputs, Task
from ieat_data.stages.gates.decontaminate import Decontaminate
from ieat_data.stages.gates.dedup import Deduplicate
from ieat_data.stages.gates.tables import screened_out
from ieat_data.storage.shards import Table
from tests.support import corpora
from tests.support.in_process import build_here

Rows = list[dict[str, Any]]
WHY = "They waited for a whole hour in the rain and nobody came to meet them."
REPLY = "That sounds so lonely, an hour in the rain would make anybody sad."


def target(
    name: str, said: str, think: str = WHY, answer: str = REPLY, task: str = "empathy", felt: str = "sad", **more: Any
) -> dict[str, Any]:
    body = "The voice is sad. "
    turn = {"utterance": name, "transcript": said, "emotion": {"label": felt, "score": 0.9, "source": "test"}}
    return {
        "id": hashlib.sha256(name.encode()).hexdigest()[:32],
        "parent": name,
        "task": task,
        "language": "en",
        "turns": [turn],
        "think": body + think,
        "think_spans": [plain(s) for s in join([("injected", body), ("model", think)])[1]],
        "answer": answer,
        "status": "ok",
        **more,
    }


def run(folder: Path, shards: list[Rows], **pipeline: Any) -> tuple[Rows, Rows, list[dict[str, Any]]]:
    """Rows of `decontaminate_targets` and `dedup_targets`, and what was put into quarantine."""
    p = Pipeline(name="t", sources={}, configs=["stage1_2_empathy"], **pipeline)
    ctx = Context(p, Profile(name="none", engines={}), scratch=folder)
    inject, screen = Table(folder / "inject"), Table(folder / "screen")
    screened: Rows = []
    parts = {}
    for t in (inject, screen):
        t.create()
    stage = Decontaminate(of="inject")
    for i, rows in enumerate(shards):
        shard = f"s-{i:05d}"
        record = inject.commit(shard, to_table(rows, schema_of(Target)))
        inputs = Inputs({("inject", shard): inject.part(record)})
        ((_, made),) = stage.run(Task("decontaminate_targets", shard, (shard,)), inputs, ctx)
        screened += made.to_pylist()
        parts["decontaminate_targets", shard] = screen.part(screen.commit(shard, made))
    quarantine, unique = list(ctx.quarantine), []
    ctx.quarantine.clear()
    barrier = Deduplicate(of="inject")
    if barrier.asked_for(p):
        (task,) = barrier.tasks(lambda t: [s for x, s in parts if x == t], p, ctx.profile)
        for _, made in barrier.run(task, Inputs(parts), ctx):
            quarantine += ctx.quarantine
            unique += made.to_pylist()
    assert not list(folder.glob(".scratch-*")), "nothing is left behind"
    return screened, unique, quarantine


def reasons(rows: Rows) -> list[str | None]:
    return [r["reason"] for r in rows]


SAID = [
    "I waited for you at the station for an hour and you never came.",
    "The dog ate the whole birthday cake before anyone had a piece.",
    "They are tearing down the cinema where I saw my first film.",
]
OTHERS = [
    ("The cake was meant for everybody and it is gone.", "What a clever dog, I hope that there is another cake."),
    ("A place full of memories goes away for good.", "I am sorry, that cinema must mean a great deal to you."),
]


def test_nearly_the_same_answer_is_a_duplicate_of_the_smallest_id(tmp_path: Path) -> None:
    rows = [
        target("a", SAID[0]),
        target("b", SAID[1], answer=REPLY.replace("anybody", "anyone")),
        target("c", SAID[2], *OTHERS[1]),
    ]
    _, unique, quarantine = run(tmp_path, [rows[:1], rows[1:]])
    ids = [r["id"] for r in rows]
    first, second = sorted(ids[:2])
    by_id = {r["id"]: r for r in unique}
    assert list(by_id) == ids, "the rows keep their places"
    gone = by_id[second]
    assert (gone["status"], gone["reason"], gone["duplicate_of"]) == ("rejected", "near_duplicate", first)
    assert gone["alike"] == "answered" and 0.8 <= gone["similarity"] < 1
    assert by_id[first]["status"] == by_id[ids[2]]["status"] == "ok"
    (why,) = quarantine
    assert why["id"] == second and why["message"].startswith(f"of {first}: answered 0.")


def test_the_same_words_of_the_user_count_with_the_same_emotion_and_task(tmp_path: Path) -> None:
    texts = [(WHY, REPLY), *OTHERS]
    same = [target(n, SAID[0], *t) for n, t in zip("abc", texts, strict=True)]
    _, unique, _ = run(tmp_path / "a", [same])
    assert reasons(unique).count("near_duplicate") == 2
    assert {r["alike"] for r in unique if r["reason"]} == {"said"}
    apart = [
        target("a", SAID[0], *texts[0]),
        target("b", SAID[0], *texts[1], felt="anger"),
        target("c", SAID[0], *texts[2], task="reasoning"),
    ]
    assert reasons(run(tmp_path / "b", [apart])[1]) == [None] * 3


def test_what_was_rejected_before_is_no_duplicate_of_anything(tmp_path: Path) -> None:
    rows = [target("a", SAID[0], status="rejected", reason="loops"), target("b", SAID[0])]
    screened, unique, _ = run(tmp_path, [rows])
    assert [r["status"] for r in screened] == [r["status"] for r in unique] == ["skipped", "ok"]


@pytest.mark.parametrize(("off", "left"), [("said", "answered"), ("answered", "said")])
def test_each_text_may_be_left_out(tmp_path: Path, off: str, left: str) -> None:
    rows = [target("a", SAID[0]), target("b", SAID[0], *OTHERS[0]), target("c", SAID[1])]
    _, unique, _ = run(tmp_path, [rows], near_duplicates={off: None})
    assert {r["alike"] for r in unique if r["reason"]} <= {left}


def test_a_benchmark_s_words_are_no_sample_s(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl"
    lines = [{"turns": [{"text": SAID[0], "emotion": "sad"}]}, {"response_text": f"Oh. {OTHERS[1][1]}"}]
    path.write_text("\n".join(map(json.dumps, lines)))
    rows = [target("a", SAID[0]), target("b", SAID[1], *OTHERS[0]), target("c", SAID[2], *OTHERS[1])]
    limits = {"words": 10}
    screened, unique, quarantine = run(
        tmp_path, [rows], contamination=[str(path)], contamination_limits=limits, near_duplicates=None
    )
    assert reasons(screened) == ["contaminated", None, "contaminated"] and unique == []
    assert [q["message"].split(" (")[0] for q in quarantine] == ["bench.jsonl:1", "bench.jsonl:2"]
    assert "payload" in quarantine[0] and quarantine[0]["payload"] == SAID[0]


def test_the_verdicts_of_all_tables_count(tmp_path: Path) -> None:
    folder = Table(tmp_path)
    folder.create()
    one = folder.commit("a", table_of(Sketch, ["1", "2"], [None, None], ["rejected", "ok"]))
    two = folder.commit("b", table_of(NearDuplicate, ["1", "2"], [None, None], ["skipped", "rejected"]))
    parts = {("decontaminate_targets", "s"): folder.part(one), ("dedup_targets", "s"): folder.part(two)}
    assert screened_out(Inputs(parts), "inject", "s") == {"1", "2"}
    assert screened_out(Inputs({}), "inject", "s") == frozenset()


@pytest.mark.long
def test_a_whole_build(tmp_path: Path) -> None:
    """The doubles answer everybody of a language the same in stage 1-1; one line of a benchmark is an utterance."""
    bench = tmp_path / "bench" / "test.txt"
    bench.parent.mkdir()
    bench.write_text(corpora.EN[0] + "\n")
    made = corpora.make(tmp_path, 8, contamination=[str(bench.parent)], near_duplicates={"said": 0.9, "answered": 0.9})
    out = tmp_path / "out"
    plan = make_plan(made.pipeline, made.profile, out, None, [], None)
    manifest = build_here(plan, out)
    assert verify(out) == []
    said = [m["transcript"] for s in samples(out) for m in s["messages"] if m["transcript"]]
    assert said and not any(corpora.EN[0] in x for x in said), (
        "neither alone, nor joined with a question, nor in a dialogue"
    )
    replies = [s for s in samples(out) if s["task"] == "response"]
    assert sorted(s["language"] for s in replies) == ["en", "zh"]
    stages = manifest["stages"]
    assert stages["decontaminate_replies"]["rejects"] == {"contaminated": 1}
    assert stages["dedup_replies"]["rejects"] == {"near_duplicate": 23 - 2}
    targets = [s for s in samples(out) if s["task"] in ("empathy", "reasoning")]
    parents = {s["provenance"]["parent"] for s in targets}
    assert parents and stages["decontaminate_targets"]["rejects"]["contaminated"] == 2
    assert manifest["screened"]["contamination"]["files"].keys() == {"bench/test.txt"}
    assert manifest["screened"]["contamination"]["rejected"] >= 3
    assert manifest["screened"]["near_duplicates"]["rejected"] >= 21
    # another benchmark: what was made before stays, what is screened is screened again
    bench.write_text(corpora.EN[1] + "\n")
    again = make_plan(made.pipeline, made.profile, out, None, [], None)
    todo = {n.name for n in again.nodes.values() if n.todo}
    assert {"decontaminate_replies", "decontaminate_targets", "dedup_targets"} <= todo
    assert not {"respond", "inject", "transcribe"} & todo


def test_a_pipeline_may_have_neither(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 2)
    nodes = make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None).nodes
    assert not [n for n in nodes if n.startswith(("decontaminate_", "dedup_"))]
    spec = yaml.safe_load(Path(made.pipeline).read_text())
    assert spec["near_duplicates"] is None and Pipeline(**{**spec, "near_duplicates": {}}).near_duplicates


def test_an_absent_benchmark_is_told_before_anything_is_done(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 2, contamination=["./absent.jsonl"])
    with pytest.raises(UserError, match=r"contamination: ./absent.jsonl: no such file"):
        make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None)
