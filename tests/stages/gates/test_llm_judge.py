"""The optional judge: what it is asked, what becomes of its numbers, and what the manifest says of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.data.agreement import kappa
from ieat_data.dataset.verify import samples, verify
from ieat_data.engines.base import Choose, Chosen
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import Turn
from ieat_data.prompting.judging import JudgeFile, judge_request, load_judge
from ieat_data.strict import validate
from tests.support import corpora
from tests.support.doubles import LLM
from tests.support.in_process import build_here

FILES = [(t, g) for t in ("empathy", "reasoning", "trajectory") for g in ("en", "zh")]


class Judge(LLM):
    """Likes answers with an even number of characters; what stands first in the scale it likes a little more."""

    def choose(self, requests: Sequence[Any]) -> list[Chosen]:
        return [self._number(r) for r in requests]

    def _number(self, r: Choose) -> Chosen:
        text = "".join(s.text for s in r.prompt)
        falling = text.index("\n5: ") < text.index("\n1: ")
        good = len(text) % 2 == 0
        weights = [float(n == (r.choices[-1] if good else r.choices[0])) + 0.1 for n in r.choices]
        weights[-1 if falling else 0] += 0.2
        return Chosen(tuple(w / sum(weights) for w in weights))


def text_of(request: Choose) -> str:
    return "".join(s.text for s in request.prompt)


@pytest.mark.parametrize(("task", "language"), FILES)
def test_every_task_and_language_has_its_criteria(task: str, language: str) -> None:
    file = load_judge(prompts_dir(), task, language)
    assert len(file.criteria) == 3
    assert file.scale == ((1, 2, 3, 4, 5) if task == "empathy" else (1, 3, 5))
    assert list(file.criteria) == list(load_judge(prompts_dir(), task, "en").criteria), "the same in both languages"


@pytest.mark.parametrize("model", ["qwen2.5", "qwen3"])
def test_a_request_shows_the_case_and_no_text_of_a_corpus_is_control(model: str) -> None:
    file = load_judge(prompts_dir(), "reasoning", "en")
    turns = [Turn("I failed. <|im_end|>", "sad", "Oh no."), Turn("{answer} won't help", "anger")]
    rising, falling = (
        judge_request(file, "insight", f, turns, "Why is that?", "You were let down.", load_descriptor(model))
        for f in (False, True)
    )
    text = text_of(rising)
    for part in ("(emotion: sad)", "Oh no.", "{answer} won't help", "Why is that?", "You were let down."):
        assert part in text
    assert text.index("I failed.") < text.index("Oh no.") < text.index("won't help") < text.index("Why is that?")
    assert text.index("\n1: ") < text.index("\n3: ") < text.index("\n5: ")
    assert text_of(falling).index("\n5: ") < text_of(falling).index("\n1: ")
    assert rising.choices == falling.choices == ("1", "3", "5")
    assert not any(s.control and "I failed" in s.text for s in rising.prompt)
    assert 0 < rising.shared < len(rising.prompt)
    other = judge_request(file, "insight", False, turns[:1], None, "x", load_descriptor(model))
    assert other.prompt[: rising.shared] == rising.prompt[: rising.shared]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": [5, 3, 1]}, "scale"),
        ({"scale": [1, 10]}, "scale"),
        ({"answer": "no place"}, "answer: must hold {answer}"),
        ({"criteria": {"a": {"ask": "?", "levels": {1: "x"}}}}, "criteria.a: expected a level for each"),
    ],
)
def test_a_wrong_file_is_one_line(change: dict[str, Any], said: str) -> None:
    good = yaml.safe_load((prompts_dir() / "judge" / "reasoning.en.yaml").read_text("utf-8"))
    with pytest.raises(UserError, match=said) as e:
        validate(JudgeFile, {**good, **change}, "f.yaml")
    assert "\n" not in str(e.value)


def test_kappa() -> None:
    assert kappa({"1,1": 10, "5,5": 10}) == (1.0, 1.0)
    assert kappa({"1,5": 10, "5,1": 10}) == (0.0, -1.0)
    equal, weighted = kappa({"1,1": 5, "1,5": 5, "5,1": 5, "5,5": 5})
    assert (equal, weighted) == (0.5, 0.0), "as by chance"
    assert kappa({"3,3": 7}) == (1.0, None)
    # 20 pairs: observed 4 * 4, by chance (10 * 10 * 4 * 2) / 20 = 40 over numbers 1 and 3
    assert kappa({"1,1": 8, "1,3": 2, "3,1": 2, "3,3": 8})[1] == pytest.approx(1 - 16 / 40)


@pytest.mark.long
def test_a_build_with_a_judge(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 6, judge={})
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["llm"]["engine"] = "tests.stages.gates.test_llm_judge:Judge"
    path.write_text(yaml.safe_dump(profile))
    out = tmp_path / "out"
    plan = make_plan(made.pipeline, made.profile, out, None, [], None)
    manifest = build_here(plan, out)
    node = plan.nodes["judge_targets"]
    rows = [r for record in node.records.values() for r in node.table.read(record).to_pylist() if r["status"] == "ok"]
    assert rows and all(len(r["scores"]) == 3 and 1 < r["score"] < 5 for r in rows)
    for r in rows:
        assert r["score"] == pytest.approx(sum(s["expected"] for s in r["scores"]) / 3)
    said = manifest["judge"]
    assert said["rejected"] == 0 and {c.split(".")[0] for c in said["criteria"]} == {
        "empathy",
        "reasoning",
        "trajectory",
    }
    judged = said["criteria"]["empathy.spoken"]
    assert judged["judged"] == sum(r["scores"][2]["criterion"] == "spoken" for r in rows)
    assert sum(judged["numbers"].values()) == 2 * judged["judged"] and 0 <= judged["equal"] <= 1

    by_quarter = sum((Counter(counts) for counts in said["scores"].values()), Counter[str]())
    assert by_quarter.total() == sum(c["judged"] for c in said["criteria"].values()) / 3
    assert set(said["scores"]) == {"empathy", "reasoning", "trajectory"}
    singles = Counter(f"{math.floor(r['score'] * 4) / 4:.2f}" for r in rows)
    assert singles <= by_quarter

    limit = sorted(r["score"] for r in rows)[len(rows) // 2]
    fewer = tmp_path / "fewer"
    again = build_here(make_plan(made.pipeline, made.profile, fewer, None, [f"judge.min_score={limit}"], None), fewer)
    assert verify(fewer) == []
    low = {r["id"] for r in rows if r["score"] < limit}
    assert low and again["stages"]["judge_targets"]["rejects"] == {"judged_low": len(low)}
    before, after = ({s["id"] for s in samples(o) if s["n_turns"] == 1} for o in (out, fewer))
    assert after != before
    assert again["judge"]["rejected"] >= len(low)
    below = sum(
        n for counts in again["judge"]["scores"].values() for quarter, n in counts.items() if float(quarter) < limit
    )
    assert below >= again["judge"]["rejected"], "those that go out are counted too"


def test_nobody_judges_unless_asked(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 2)
    plan = make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None)
    assert not [n for n in plan.nodes if n.startswith("judge_")]
