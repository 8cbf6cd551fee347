"""The words beside the label: who is asked, what a conflict is, and a build with a config of contrasts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.building import load_build
from ieat_data.cli.build import make_plan
from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.rows import LabelScore
from ieat_data.dataset.verify import samples, verify
from ieat_data.engines.base import Choose, Chosen, Failure
from ieat_data.engines.ser.appraisal import FEELINGS
from ieat_data.stages.base import Context, Reject
from ieat_data.stages.dialogue.appraise import Appraise, Labelled
from ieat_data.stages.dialogue.inject import Inject
from ieat_data.stages.samples.contrastive import Contrastive
from tests.stages.dialogue.test_kind import Direct
from tests.support import corpora
from tests.support.doubles import LLM
from tests.support.in_process import build_here


class Reads(LLM):
    """Finds every text sad, and the sentences that calibrate it anything."""

    def choose(self, requests: Sequence[Any]) -> list[Any]:
        return [self._of(r) for r in requests]

    def _of(self, r: Choose) -> Chosen | Failure:
        text = r.prompt[r.shared].text
        if "<|im_end|>" in text:
            return Failure("unsafe_control_text", "no")
        ours = any(said in text for said in (*corpora.EN, *corpora.ZH, "I have been thinking", "最近我总是"))
        sad = [0.94 if f == "sad" else 0.01 for f in FEELINGS]
        return Chosen(tuple(sad if ours else [1 / len(r.choices) for _ in r.choices]))


def process(folder: Path, rows: Sequence[Labelled]) -> tuple[list[Any], Direct]:
    made = corpora.make(folder, 1)
    client = Direct(Reads())
    engines: Any = {"llm": client}
    return list(
        Appraise().process(list(rows), Context(load_pipeline(made.pipeline), load_profile(made.profile), engines))
    ), client


def by_engine(words: Mapping[str, float]) -> str:
    return json.dumps({"arousal": 0.5, **{f"words_{f}": words.get(f, 0.0) for f in FEELINGS}})


def test_the_words_are_asked_and_compared_with_the_label(tmp_path: Path) -> None:
    said = [
        Labelled(label, "ok", "en", corpora.EN[0], label, "{}", corpora.EN[0], None)
        for label in ("sad", "happy", "other")
    ]
    got, client = process(tmp_path, said)
    assert {r.words_label for r in got} == {"sad"}
    assert [r.words_score for r in got] == pytest.approx([0.94] * 3)
    assert got[0].conflict == 0
    assert got[1].conflict == pytest.approx(0.93)
    assert got[2].conflict == pytest.approx(0.94), "a label that the words know nothing of"
    assert [s.label for s in got[0].words_scores] == list(FEELINGS)
    assert {"sad", "happy", "other"} <= set(client.rows)


def test_an_engine_that_read_the_words_is_not_asked_twice(tmp_path: Path) -> None:
    words = {"happy": 0.75, "neutral": 0.25}
    (got,), client = process(
        tmp_path, [Labelled("a", "ok", "en", corpora.EN[0], "neutral", by_engine(words), "", None)]
    )
    assert (got.words_label, got.words_score, got.conflict) == ("happy", 0.75, 0.5)
    assert client.rows == []


def test_a_query_that_was_appraised_before_it_was_spoken_is_not_asked_twice(tmp_path: Path) -> None:
    meant = tuple(LabelScore(f, 0.7 if f == "fear" else 0.05) for f in FEELINGS)
    rows = [
        Labelled("a", "ok", "en", "Is it bad?", "happy", "{}", "Is it bad?", meant),
        Labelled("b", "ok", "en", corpora.EN[0], "happy", "{}", "Is it bad?", meant),
    ]
    (same, misheard), client = process(tmp_path, rows)
    assert (same.words_label, same.conflict) == ("fear", pytest.approx(0.65))
    assert misheard.words_label == "sad", "what the ASR made of it is another text"
    assert [i for i in client.rows if i in ("a", "b")] == ["b"]


def test_a_row_that_cannot_be_asked_fails_alone(tmp_path: Path) -> None:
    rows = [
        Labelled("a", "ok", "en", "Hm <|im_end|>", "sad", "{}", "", None),
        Labelled("b", "ok", "en", corpora.EN[1], "sad", "{}", "", None),
    ]
    got, _ = process(tmp_path, rows)
    assert isinstance(got[0], Reject) and got[0].reason == "unsafe_control_text"
    assert got[1].words_label == "sad"


def configured(stage: Any, conflict: str, configs: Sequence[str], folder: Path) -> list[str]:
    made = corpora.make(folder, 1, stages={"inject": {"conflict": conflict}}, configs=list(configs))
    pipeline = load_pipeline(made.pipeline)
    faults: list[str] = stage.configured(pipeline).faults(pipeline, load_profile(made.profile), _nobody())
    return [f for f in faults if "contrastive" in f]


def _nobody() -> Any:
    from ieat_data.decisions.verdicts import NONE

    return NONE


def test_setting_and_config_belong_together(tmp_path: Path) -> None:
    both = ["stage1_2_empathy", "stage1_2_contrastive"]
    assert configured(Inject(), "contrastive", both, tmp_path / "a") == []
    assert configured(Contrastive(), "contrastive", both, tmp_path / "b") == []
    (line,) = configured(Inject(), "contrastive", both[:1], tmp_path / "c")
    assert "add stage1_2_contrastive to `configs`" in line
    (line,) = configured(Contrastive(), "hedge", both, tmp_path / "d")
    assert "stages.inject.conflict: hedge" in line


@pytest.mark.parametrize(("conflict", "asked"), [("keep", False), ("hedge", True), ("drop", True)])
def test_the_words_are_appraised_where_somebody_wants_to_know(tmp_path: Path, conflict: str, asked: bool) -> None:
    made = corpora.make(tmp_path, 1, stages={"inject": {"conflict": conflict}})
    plan = make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None)
    assert ("appraise" in plan.nodes) == asked == ("appraise" in plan.nodes["inject"].inputs)


@pytest.mark.long
def test_a_build_with_contrasts(tmp_path: Path) -> None:
    configs = ["stage1_1", "stage1_2_empathy", "stage1_2_reasoning", "stage1_2_contrastive"]
    made = corpora.make(tmp_path, 8, stages={"inject": {"conflict": "contrastive"}}, configs=configs)
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["llm"]["engine"] = "tests.stages.dialogue.test_appraise:Reads"
    path.write_text(yaml.safe_dump(profile))
    out = tmp_path / "out"
    manifest = build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    assert verify(out) == []
    nodes = load_build(out / ".work").nodes
    node = nodes["appraise"]
    rows = [r for record in node.records.values() for r in node.table.read(record).to_pylist() if r["status"] == "ok"]
    same = {r["id"] for r in rows if r["conflict"] == 0}
    assert manifest["appraisal"] == {"appraised": len(rows), "same": len(same)}
    contrasts: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for sample in samples(out):
        if sample["training_stage"] == "stage1_2":
            (contrasts if sample["messages"][0]["emotion"]["label"] not in ("sad", "neutral") else others).append(
                sample
            )
    assert len(contrasts) > 5 and {s["task"] for s in contrasts} == {"empathy"}
    assert manifest["configs"]["stage1_2_contrastive"]["rows"] == len(contrasts), "all of them, and nowhere else"
    assert all(m["emotion"]["label"] in ("sad", "neutral") for s in others for m in s["messages"] if m["emotion"])
