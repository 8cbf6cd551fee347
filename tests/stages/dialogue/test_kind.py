"""Kinds of rows: what the LLM is asked, what becomes of its probabilities, and a build that sorts its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import ieat_data
from ieat_data.building import load_build
from ieat_data.cli.build import make_plan
from ieat_data.config import load_pipeline, load_profile
from ieat_data.cost.measured import measured
from ieat_data.data.rows import LabelScore, Language, RowKind
from ieat_data.dataset.verify import verify
from ieat_data.engines.base import Choose, Chosen, Failure
from ieat_data.engines.llm.options import CALIBRATION, LANGUAGES
from ieat_data.errors import EngineDown, UserError
from ieat_data.paths import prompts_dir
from ieat_data.stages.base import Context, Reject
from ieat_data.stages.dialogue.kind import KINDS, Kind, KindSettings, Said, kind_of, tasks_for, weighed
from tests.support import corpora
from tests.support.doubles import LLM
from tests.support.in_process import build_here

SHOP = {"opens at nine": "statement", "每天九点": "statement", "should I do": "request", "怎么办": "request"}


class Sorts(LLM):
    """Takes a row for what a word of it says, and for a feeling otherwise; leans to the first choice by half."""

    words: Mapping[str, str] = {**SHOP, "strange noise": "narration", "奇怪的声音": "narration"}

    def choose(self, requests: Sequence[Any]) -> list[Chosen]:
        return [self._of(r) for r in requests]

    def _of(self, r: Choose) -> Chosen:
        if len(r.choices) != len(KINDS):
            return Chosen(tuple(1 / len(r.choices) for _ in r.choices))
        text = r.prompt[r.shared].text
        kind = next((k for word, k in self.words.items() if word in text), "feeling")
        weights = [0.5 * (i == 0) + 0.1 + (k == kind) for i, k in enumerate(KINDS)]
        return Chosen(tuple(w / sum(weights) for w in weights))


class Direct:
    """An engine's client without a pool; keeps whom it was asked for."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.rows: list[str] = []

    def choose(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        assert len(requests) == len(rows)
        self.rows += rows
        return list(self.engine.choose(requests))


def process(folder: Path, engine: Any, texts: Mapping[str, Language], **settings: Any) -> tuple[list[Any], Direct]:
    made = corpora.make(folder, 1)
    client = Direct(engine)
    ctx = Context(load_pipeline(made.pipeline), load_profile(made.profile), {"llm": client})  # type: ignore[dict-item]
    unknown = (LabelScore("neutral", 0.5), LabelScore("sad", 0.5))
    rows = [Said(str(i), "ok", language, text, unknown) for i, (text, language) in enumerate(texts.items())]
    return list(Kind(KindSettings(**settings)).process(rows, ctx)), client


def test_a_row_is_what_its_words_are_with_the_probabilities(tmp_path: Path) -> None:
    texts: dict[str, Language] = {"The shop opens at nine.": "en", "I failed.": "en", "最近该怎么办？": "zh"}
    got, client = process(tmp_path, Sorts(), texts)
    assert [r.kind for r in got] == ["statement", "feeling", "request"]
    for r in got:
        assert isinstance(r, RowKind)
        assert r.feeling + r.request + r.statement + r.narration == pytest.approx(1)
        assert getattr(r, r.kind) == max(r.feeling, r.request, r.statement, r.narration)
    assert [i for i in client.rows if i != CALIBRATION] == ["0", "1", "2"]
    assert client.rows.count(CALIBRATION) >= 2 * len(KINDS), "each language is calibrated once"


def test_the_bias_of_the_model_is_divided_out(tmp_path: Path) -> None:
    class Even(Sorts):
        words = dict.fromkeys(("I ", "The "), "statement")

        def _of(self, r: Choose) -> Chosen:
            said = "Undecided." in r.prompt[r.shared].text
            return Chosen((0.4, 0.2, 0.2, 0.2) if said else (0.7, 0.1, 0.1, 0.1))

    text: dict[str, Language] = {"Undecided.": "en"}
    (raw,), _ = process(tmp_path / "raw", Even(), text, calibration=0.0)
    (mended,), _ = process(tmp_path / "mended", Even(), text, calibration=1.0)
    assert raw.feeling == pytest.approx(0.4)
    # 0.4 / 0.7 against three times 0.2 / 0.1
    assert mended.feeling == pytest.approx(0.4 / 0.7 / (0.4 / 0.7 + 6))


def test_what_the_words_feel_weighs_in() -> None:
    kinds = {"feeling": 0.1, "request": 0.8, "statement": 0.1, "narration": 0.0}
    assert max(weighed(kinds, {"neutral": 0.01}), key=weighed(kinds, {"neutral": 0.01}).__getitem__) == "feeling"
    assert weighed(kinds, {"neutral": 0.5})["request"] == pytest.approx(0.8, abs=0.01)
    sure = weighed({**kinds, "request": 0.0, "narration": 0.8}, {"neutral": 0.0})
    assert sure["narration"] == pytest.approx(0.8, abs=0.01), "a novel may be full of feelings"
    assert sum(sure.values()) == pytest.approx(1)


def test_what_is_not_sure_counts_as_a_feeling() -> None:
    p = {"feeling": 0.2, "request": 0.45, "statement": 0.25, "narration": 0.1}
    assert (kind_of(p, 0.5), kind_of(p, 0.4)) == ("feeling", "request")


@pytest.mark.parametrize(("reason", "error"), [("engine_error", EngineDown), ("context", UserError)])
def test_an_llm_that_cannot_be_calibrated_is_no_fault_of_the_rows(
    tmp_path: Path, reason: str, error: type[Exception]
) -> None:
    class Unwilling(LLM):
        def choose(self, requests: Sequence[Any]) -> list[Any]:
            return [Failure(reason, "not now") for _ in requests]

    with pytest.raises(error, match=rf"calibration by kind\.en\.yaml: {reason}"):
        process(tmp_path, Unwilling(), {"I failed.": "en"})


def test_a_row_that_cannot_be_asked_fails_alone(tmp_path: Path) -> None:
    class Picky(Sorts):
        def choose(self, requests: Sequence[Any]) -> list[Any]:
            bad = Failure("unsafe_control_text", "no")
            return [bad if "<|im_end|>" in r.prompt[r.shared].text else self._of(r) for r in requests]

    got, _ = process(tmp_path, Picky(), {"Hm <|im_end|>": "en", "I failed.": "en"})
    assert isinstance(got[0], Reject) and got[0].reason == "unsafe_control_text"
    assert isinstance(got[1], RowKind)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_prompt_file_is_found_before_a_model_is_loaded(
    tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = corpora.make(tmp_path, 1, stages={"kind": {}})
    for other in LANGUAGES:
        (tmp_path / f"kind.{other}.yaml").write_text((prompts_dir() / f"kind.{other}.yaml").read_text("utf-8"))
    (tmp_path / f"kind.{language}.yaml").write_text("options: {feeling: a, request: b}")
    monkeypatch.setattr("ieat_data.stages.asking.prompts_dir", lambda: tmp_path)
    pipeline = load_pipeline(made.pipeline)
    (line,) = Kind().faults(pipeline, load_profile(made.profile), None)  # type: ignore[arg-type]
    assert f"kind.{language}.yaml: options: expected the keys feeling, request, statement, narration" in line


def test_tasks_by_kind() -> None:
    assert tasks_for(None, "sad") == tasks_for("feeling", "neutral") == ("reasoning", "empathy")
    assert tasks_for("request", "neutral") == tasks_for("statement", "neutral") == ("empathy",)
    assert tasks_for("request", "sad") == tasks_for("statement", "sad") == tasks_for("narration", "neutral") == ()


@pytest.mark.long
def test_a_build_that_sorts_its_rows(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 8, stages={"kind": {}})
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["llm"]["engine"] = "tests.stages.dialogue.test_kind:Sorts"
    path.write_text(yaml.safe_dump(profile))
    out = tmp_path / "out"
    manifest = build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    assert verify(out) == []
    nodes = load_build(out / ".work").nodes

    def rows(table: str) -> list[dict[str, Any]]:
        found = (row for record in nodes[table].records.values() for row in nodes[table].table.read(record).to_pylist())
        return [r for r in found if r["status"] == "ok"]

    kinds = {r["id"]: r["kind"] for r in rows("kind")}
    assert manifest["kinds"] == {k: Counter(kinds.values())[k] for k in KINDS}
    assert min(manifest["kinds"].values()) >= 2
    by_kind: dict[str, set[str]] = {k: set() for k in KINDS}
    for target in rows("inject"):
        by_kind[kinds[target["parent"]]].add(target["task"])
    assert by_kind["feeling"] == {"reasoning", "empathy"}
    assert not by_kind["narration"] and by_kind["request"] | by_kind["statement"] <= {"empathy"}
    answered = {r["id"] for r in rows("respond")} & {r["id"] for r in rows("emotion")} & kinds.keys()
    without = Counter(kinds[i] for i in answered if kinds[i] == "narration")
    assert manifest["untargeted"]["narration"] == without["narration"]
    figures = measured(load_build(out / ".work").work, load_build(out / ".work").engine_identities)
    assert {"feeling.kind", "narration.kind", "accept.kind"} <= set(figures)


def test_nobody_is_asked_unless_the_pipeline_says_so(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 2)
    plan = make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None)
    assert not {"kind", "appraise"} & {*plan.nodes, *plan.nodes["inject"].inputs}


def test_a_few_rows_through_the_stages_with_and_without_a_kind(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 1)
    rows = [
        {
            "language": "en",
            "text": "I lost my keys.",
            "reply": "Oh no.",
            "label": "sad",
            "score": 0.9,
            "speaker": "ann",
            "origin": "recorded",
        }
    ]
    assert ieat_data.run_stage("inject", rows, made.profile) != []
    assert ieat_data.run_stage("inject", [{**r, "kind": "narration"} for r in rows], made.profile) == []
