"""What people decided, in whole builds: the rejected is gone, the edited is spoken anew, the rest is not built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ieat_data.apps.review.store import Store
from ieat_data.building import load_build
from ieat_data.cli.build import make_plan
from ieat_data.config import load_profile
from ieat_data.data.rows import Instruction as Drawn
from ieat_data.data.rows import Speaker
from ieat_data.data.sample import logical
from ieat_data.dataset import card
from ieat_data.dataset.verify import samples, verify
from ieat_data.decisions.adjudication import Verdict
from ieat_data.decisions.log import seen_instruction, seen_sample
from ieat_data.decisions.verdicts import Verdicts, of_folder, saved
from ieat_data.errors import UserError
from ieat_data.execution.plan import Plan
from ieat_data.stages.base import Context
from ieat_data.stages.dialogue.questions import bank, changes, draw_instruction, written
from ieat_data.stages.speech.speakers import Voices
from ieat_data.storage.open import at
from tests.support import corpora
from tests.support.in_process import build_here

EN = "reasoning.en"
DRAWN = ("checked", "accepted")


def held(item: str, verdict: Verdict, text: str | None = None) -> Verdicts:
    row = next(r for r in written("reasoning", "en") if r.id == item)
    return Verdicts(instructions={EN: {item: {seen_instruction(EN, item, text or row.text): verdict}}})


def drawn(verdicts: Verdicts, n: int = 60) -> list[Drawn]:
    plan = corpora_plan()
    ctx = Context(plan[0], plan[1], shared={"voices": Voices([Speaker("ann", "en")])}, verdicts=verdicts)
    return [draw_instruction(f"{i:032x}", "reasoning", "en", False, ctx) for i in range(n)]


def corpora_plan() -> Any:
    from ieat_data.config import Pipeline, Sources

    return Pipeline(name="t", sources=Sources(), configs=()), load_profile("cpu")


def test_a_rejected_instruction_is_not_drawn_and_moves_no_other_draw() -> None:
    before = drawn(Verdicts())
    gone = before[0].id
    after = drawn(held(gone, Verdict(rejected=True)))
    assert gone not in {d.id for d in after}
    moved = [b.id for b, a in zip(before, after, strict=True) if a != b]
    assert moved
    assert set(moved) == {gone}, "only who drew it draws again"


@pytest.mark.long
def test_an_edited_instruction_has_its_new_text_and_an_id_of_its_own() -> None:
    before = drawn(Verdicts())
    name = before[0].id
    ids = set()
    for text in ("What made me feel so?", "Why oh why do I feel this?"):
        after = drawn(held(name, Verdict(rejected=False, text=text)))
        assert after[0].text == text
        assert after[0].id.startswith(f"{name}~")
        assert all((a == b) == (b.id != name) for a, b in zip(after, before, strict=True))
        ids.add(after[0].id)
    assert len(ids) == 2, "another text is another question"


def test_what_an_edit_presupposes_is_asked_afterwards_only() -> None:
    first = next(d for d in drawn(Verdicts()) if d.placement == "joined_before")
    told = drawn(held(first.id, Verdict(rejected=False, text="From what I told you, what makes me feel like this?")))
    assert {d.placement for d in told if d.id.startswith(f"{first.id}~")} <= {"joined_after"}
    short = drawn(held(first.id, Verdict(rejected=False, text="In one sentence, why do I feel like this?")))
    assert not [d for d in short if d.id.startswith(first.id)]


def test_accepted_is_what_people_decided_and_nothing_else() -> None:
    shipped = {r.status for task in ("reasoning", "trajectory") for x in ("en", "zh") for r in written(task, x)}
    assert "accepted" not in shipped, "a program wrote it"
    name = written("reasoning", "en")[0].id
    verdicts = held(name, Verdict(rejected=False))
    assert [r.id for r in bank("reasoning", "en", DRAWN, verdicts) if r.status == "accepted"] == [name]
    assert changes(verdicts, DRAWN) == {}, "nothing is built again for it"
    assert [r.id for r in bank("reasoning", "en", ("accepted",), verdicts)] == [name]
    assert list(changes(verdicts, ("accepted",))[EN]) == [name]
    with pytest.raises(UserError, match="no instruction with status accepted"):
        bank("reasoning", "en", ("accepted",))


def test_a_decision_on_another_text_does_not_apply() -> None:
    name = written("reasoning", "en")[0].id
    assert changes(held(name, Verdict(rejected=True), "an earlier text"), DRAWN) == {}
    assert changes(held(name, Verdict(rejected=True)), DRAWN) == {EN: {name: None}}


def test_a_bank_that_is_rejected_whole_is_a_user_s_error() -> None:
    all_of = {r.id: {seen_instruction(EN, r.id, r.text): Verdict(rejected=True)} for r in written("reasoning", "en")}
    with pytest.raises(UserError, match=r"reasoning\.en\.jsonl: no instruction with status"):
        drawn(Verdicts(instructions={EN: all_of}), 1)


def todo(plan: Plan) -> set[str]:
    return {n.name for n in plan.nodes.values() if n.todo}


@pytest.mark.long
def test_reject_a_sample_edit_an_instruction_build_again(tmp_path: Path) -> None:
    log, decisions, out = tmp_path / "calls.log", tmp_path / "decisions", tmp_path / "out"
    c = corpora.make(tmp_path, 4, {"log": str(log)}, decisions=str(decisions))
    configs = "configs=[stage1_1, stage1_2_reasoning, stage1_2_empathy]"

    def plan() -> Plan:
        return make_plan(c.pipeline, c.profile, out, None, [configs], None)

    first = build_here(plan(), out)
    assert first["review"]["samples"] == {"rejected": 0, "changed": []}
    assert "No decision by a person went into this build." in card.render(first)
    before = {r["id"]: r for r in samples(out)}
    calls = log.read_text()

    # a sample is rejected: gone, counted, in quarantine; nothing but its config is built, no engine is asked
    store = Store(decisions)
    rejected = next(r for r in before.values() if r["task"] == "empathy")
    of = {"kind": "sample", "of": "stage1_2_empathy", "item": rejected["id"], "seen": seen_sample(logical(rejected))}
    store.append("anna", **of, decision="reject", reason="wrong_emotion", note="she laughs")
    other = next(r for r in before.values() if r["task"] == "response")
    stale = {"kind": "sample", "of": "stage1_1", "item": other["id"], "seen": "0" * 64}
    store.append("anna", **stale, decision="reject", reason="bad_audio")
    again = plan()
    assert todo(again) == {"stage1_2_empathy", "stage1_1"}
    second = build_here(again, out)
    assert verify(out) == []
    after = {r["id"]: r for r in samples(out)}
    assert before.keys() - after.keys() == {rejected["id"]}
    assert all(after[i] == before[i] for i in after)
    assert second["stages"]["stage1_2_empathy"]["rejects"] == {"rejected_in_review": 1}
    assert second["review"]["samples"] == {"rejected": 1, "changed": [other["id"]]}
    lines = [json.loads(x) for p in out.glob(".work/tables/stage1_2*/quarantine-*") for x in p.read_text().splitlines()]
    assert [(q["id"], q["message"]) for q in lines] == [(rejected["id"], "anna: wrong_emotion (she laughs)")]
    assert log.read_text() == calls
    assert "1 samples" in card.render(second)

    # accepting changes nothing that is built
    kept = next(r for r in after.values() if r["task"] == "reasoning")
    store.append(
        "ben",
        kind="sample",
        of="stage1_2_reasoning",
        item=kept["id"],
        seen=seen_sample(logical(kept)),
        decision="accept",
    )
    assert todo(plan()) == set()

    # an instruction is edited: it alone is answered and spoken anew
    name, was = kept["instruction"]["id"], kept["instruction"]["text"]
    bank_name = f"reasoning.{kept['language']}"
    new = "What is it that moves me so?" if kept["language"] == "en" else "是什么让我这么难受呢？"
    seen = seen_instruction(bank_name, name, was)
    store.append("ben", kind="instruction", of=bank_name, item=name, seen=seen, decision="edit", text=new)
    again = plan()
    assert not {"ingest", "synthesize", "transcribe", "respond", "emotion", "stage1_1"} & todo(again)
    assert again.why(again.nodes["inject"]).startswith("changed: decisions")
    third = build_here(again, out)
    assert third["review"]["instructions"] == {"accepted": 0, "edited": 1, "rejected": 0, "changed": []}
    changed = {r["id"] for r in before.values() if (r["instruction"] or {}).get("id") == name}
    now = {r["id"]: r for r in samples(out)}
    assert kept["id"] in changed
    assert {i for i in now if now[i] != before[i]} <= changed
    assert now[kept["id"]]["instruction"]["text"] == new
    clips = [next(s for s in r[kept["id"]]["spans"] if s["kind"] == "question")["clip"] for r in (before, now)]
    assert clips[0] != clips[1], "spoken anew"
    spoken = [line.split() for line in log.read_text()[len(calls) :].splitlines() if line.startswith("TTS")]
    voices = {r["instruction"]["speaker"] for i, r in before.items() if i in changed}
    assert sum(int(n) for _, n in spoken) <= 3 * len(voices), "no other text was spoken"
    assert load_build(out / ".work").verdicts == again.verdicts.model_copy(update={"faults": ()})

    # an undo takes it back: all is there from before
    made = [d for d in store.standing().items() if d[0].item == rejected["id"]]
    store.append("anna", **of, decision="undo", undoes=made[0][1][of["seen"]]["anna"].id)
    build_here(plan(), out)
    assert rejected["id"] in {r["id"] for r in samples(out)}


def test_what_holds_is_fixed_when_the_plan_is_made(tmp_path: Path) -> None:
    store = Store(tmp_path / "decisions")
    of = {"kind": "sample", "of": "stage1_1", "item": "1" * 32, "seen": "a" * 64}
    store.append("anna", **of, decision="reject", reason="bad_audio")
    (tmp_path / "decisions" / "ben.jsonl").write_text("no decision\n")
    verdicts = of_folder(tmp_path / "decisions", "any_reject")
    assert verdicts.rejected("stage1_1") == {"1" * 32: ["a" * 64]}
    assert len(verdicts.faults) == 1
    kept = at(tmp_path / "work"), verdicts.save(at(tmp_path / "work"))
    store.append("cleo", **of, decision="accept")
    assert of_folder(tmp_path / "decisions", "majority").rejected("stage1_1") == {}
    assert saved(*kept).rejected("stage1_1") == verdicts.rejected("stage1_1")
