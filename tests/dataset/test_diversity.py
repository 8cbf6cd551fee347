"""The `diversity` block of the manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from ieat_data.cli.build import make_plan
from ieat_data.dataset import diversity as module
from ieat_data.dataset.diversity import Texts, diversity, evenness
from ieat_data.dataset.verify import samples
from tests.support import corpora
from tests.support.in_process import build_here


def test_distinct_n_and_openings_are_counted_by_hand() -> None:
    texts = Texts("en")
    for text in ("the cat sat down", "The cat sat still!", "a dog barked", "", "..."):
        texts.add(text)
    found = texts.summary()
    assert found["texts"] == 3
    assert found["distinct_1"] == round(8 / 11, 4)  # the cat sat down still a dog barked
    assert found["distinct_2"] == round(6 / 8, 4)
    assert found["distinct_3"] == round(4 / 5, 4)
    assert found["openings"] == {"the cat sat": round(2 / 3, 4), "a dog barked": round(1 / 3, 4)}
    assert found["different_openings"] == round(2 / 3, 4)
    assert found["length"] == {"p05": 3.1, "p50": 4.0, "p95": 4.0}


def test_chinese_is_counted_by_characters() -> None:
    texts = Texts("zh")
    texts.add("我今天很开心。")
    texts.add("我今天很难过。")
    found = texts.summary()
    assert found["length"]["p50"] == 6 and found["distinct_1"] == round(8 / 12, 4)
    assert set(found["openings"]) == {"我今天很开", "我今天很难"}


def test_nothing_has_no_numbers() -> None:
    found = Texts("en").summary()
    assert (found["texts"], found["distinct_1"], found["openings"], found["length"]) == (0, None, {}, {})


def test_evenness() -> None:
    assert evenness([5, 5, 5]) == 1.0
    assert evenness([99, 1]) == pytest.approx(0.0808, abs=1e-4)
    assert evenness([7]) is None and evenness([7, 0]) is None and evenness([]) is None


@pytest.mark.long
def test_of_a_build_and_of_a_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = corpora.make(tmp_path, 8)
    out = tmp_path / "out"
    plan = make_plan(made.pipeline, made.profile, out, None, [], None)
    manifest = build_here(plan, out)
    found = manifest["diversity"]
    assert set(found) == set(manifest["configs"])
    replies = found["stage1_1"]
    assert replies["sampled"] == 24 and set(replies["texts"]) == {"answer"}
    assert replies["texts"]["answer"]["en"]["openings"] == {"i see what": 1.0}, "the double says one thing"
    thinks = found["stage1_2_empathy"]["texts"]["think"]["en"]
    injected = [
        m["think_spans"]
        for s in samples(out)
        for m in s["messages"]
        if s["task"] == "empathy" and s["language"] == "en" and m["think"]
    ]
    assert thinks["texts"] == len(injected)
    assert thinks["openings"] == {"the user says": 1.0}, "of the model's own words, not of the injected body"
    assert found["stage1_2_empathy"]["evenness"]["language"] == evenness(
        manifest["configs"]["stage1_2_empathy"]["language"].values()
    )
    assert found["stage1_1"]["speakers"]["different"] >= 4
    monkeypatch.setattr(module, "SAMPLED", 12)
    part = diversity(plan, manifest["configs"])["stage1_1"]
    ids = [s["id"] for s in samples(out) if s["task"] == "response"]
    assert part["sampled"] == sum(i[:16] < "8" + "0" * 15 for i in ids), "half of them, by their ids"
    assert 0 < part["sampled"] < 24
