"""Stages on small real data, without Ray: settings that change what comes out, and errors inside a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ieat_data import config, paths
from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.schema import OK
from ieat_data.engines.base import NOT_RECORDED
from ieat_data.errors import EngineDown, UserError
from ieat_data.stages.base import Reject, groups, guarded, retry
from ieat_data.stages.dialogue.asker import question_id


def test_one_row_that_breaks_a_batch_is_the_only_reject() -> None:
    def process(rows: list[dict[str, Any]]) -> list[Any]:
        return [{"n": 1 / r["n"]} for r in rows]

    results = guarded(process, [{"n": 1}, {"n": 0}, {"n": 2}])
    assert results[0] == {"n": 1.0}
    assert results[2] == {"n": 0.5}
    assert results[1].reason == "internal_error"
    assert "ZeroDivisionError" in results[1].message


@pytest.mark.parametrize("error", [EngineDown, UserError])
def test_a_dead_engine_or_a_user_s_error_is_no_fault_of_a_row(error: type[Exception]) -> None:
    def process(rows: list[dict[str, Any]]) -> list[Any]:
        raise error("gone")

    rows: list[dict[str, Any]] = [{}, {}]
    with pytest.raises(error):
        guarded(process, rows)


def test_retry_asks_again_only_for_what_failed_and_together() -> None:
    asked: list[list[tuple[int, int]]] = []

    def ask(tries: list[tuple[int, int]]) -> list[int | Reject]:
        asked.append(tries)
        return [Reject("no") if item > attempt else item * 10 for item, attempt in tries]

    assert retry([0, 1, 9], 3, ask) == [(0, 1), (10, 2), (Reject("no"), 3)]
    assert asked == [[(0, 0), (1, 0), (9, 0)], [(1, 1), (9, 1)], [(9, 2)]]


def test_what_a_recording_lacks_is_not_asked_again_and_says_why_it_was_asked() -> None:
    asked: list[int] = []

    def ask(tries: list[tuple[int, int]]) -> list[int | Reject]:
        asked.append(len(tries))
        return [Reject(NOT_RECORDED, "seed") if item == attempt else Reject("refusal") for item, attempt in tries]

    (first, _), (second, tries) = retry([0, 1], 5, ask)
    assert asked == [2, 1]
    assert first == Reject(NOT_RECORDED, "seed")
    assert (second, tries) == (Reject(NOT_RECORDED, "try 1 is rejected now (refusal); seed"), 2)


def test_groups_are_fixed_and_consecutive() -> None:
    made = groups([f"s{i}" for i in range(5)], 2)
    assert made == [("group-00000", ("s0", "s1")), ("group-00001", ("s2", "s3")), ("group-00002", ("s4",))]


def test_every_shipped_yaml_is_valid() -> None:
    for path in paths.pipelines_dir().glob("*.yaml"):
        assert load_pipeline(path.stem).name == path.stem
    for path in paths.profiles_dir().glob("*.yaml"):
        assert load_profile(path.stem).name == path.stem
    for path in paths.sources_dir().glob("*.yaml"):
        assert config.load_source(path.stem).name == path.stem


def test_a_question_is_known_by_text_and_speaker() -> None:
    assert question_id("a", "ann") == question_id("a", "ann")
    assert len({question_id(t, s) for t in "ab" for s in ("ann", "bob")}) == 4


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\nsourcs: {}\nconfigs: []\n", r"unknown key 'sourcs' \(did you mean 'sources'\?\)"),
        ("name: x\nsources: {speach: []}\nconfigs: []\n", r"unknown key 'sources.speach' \(did you mean 'speech'\?\)"),
        (
            "name: x\nsources: {}\nconfigs: []\nrows_per_shard: 0\n",
            r"rows_per_shard: Input should be greater than or equal to 1, got 0",
        ),
        ("- a\n", "expected keys with values, found list"),
        ("name: [\n", ": not YAML"),
    ],
)
def test_wrong_configuration_is_one_line_with_file_and_key(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=line) as e:
        load_pipeline(str(path))
    assert str(path) in str(e.value)
    assert "\n" not in str(e.value)


def test_set_lays_values_over() -> None:
    pipeline = load_pipeline("stage1-2", ["stages.reorganise.turns={2: 3, 4: 1}", "seed=7"])
    assert pipeline.seed == 7
    assert pipeline.stages["reorganise"]["turns"] == {2: 3, 4: 1}
    assert pipeline.stages["inject_dialogues"], "what is not named stays"
    with pytest.raises(UserError, match="expected key=value"):
        load_pipeline("stage1-2", ["seed"])


def test_a_source_that_needs_a_variable_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMILIA_ROOT", raising=False)
    with pytest.raises(UserError, match="export EMILIA_ROOT=/folder/of/the/corpus"):
        config.load_source("emilia-en").path()
    assert OK == "ok"
