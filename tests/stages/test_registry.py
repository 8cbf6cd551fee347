"""All stages, one by one: what plan, estimate, manifest and report take from each."""

from __future__ import annotations

from typing import Any

import pytest

from ieat_data.config import Pipeline, load_pipeline, load_profile
from ieat_data.cost.corpora import Corpus
from ieat_data.cost.figures import Figures
from ieat_data.cost.funnel import funnel
from ieat_data.data.columns import sources
from ieat_data.dataset.manifest import sections
from ieat_data.execution.order import stages_of
from ieat_data.stages import CONFIGS, STAGES, UNIONS
from ieat_data.stages.base import Stage
from ieat_data.stages.catalogue import row_of
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.row_by_row import RowByRow

ALL = sorted(STAGES)


def whole() -> Pipeline:
    """Every stage there is."""
    blocks: dict[str, dict[str, Any]] = {
        name: {} for name in ("appraise", "intent", "kind", "mos", "same_speaker", "speak_replies")
    }
    paper = load_pipeline("paper").model_dump(mode="json")
    paper["stages"]["inject"]["conflict"] = "contrastive"
    blocks["reorganise"] = {**paper["stages"]["reorganise"], "grouping": "written"}
    paper |= {"configs": list(CONFIGS), "stages": {**paper["stages"], **blocks}, "judge": {}, "contamination": ["./b/"]}
    return Pipeline.model_validate(paper)


def test_every_stage_is_costed() -> None:
    pipeline = whole()
    speech = Corpus("emilia-zh", "speech", "emilia", "zh", 100_000, True)
    text = Corpus("belle", "text", "belle", "zh", 100_000, True)
    loads = funnel(pipeline, load_profile("gpu"), [speech, text], Figures(), stages_of(pipeline))
    # a voice that the engine has by itself is not compared; everything else does something
    assert {n for n, load in loads.items() if not load.rows} == set()
    assert set(loads) == set(STAGES)
    assert not {n for n, load in loads.items() if not load.bytes}, "each table takes room"


@pytest.mark.parametrize("name", ALL)
def test_a_stage_reads_what_is_made_and_says_what_it_does(name: str) -> None:
    stage = STAGES[name]
    assert stage.name == name
    known = {*STAGES, *UNIONS}
    assert {*stage.inputs, *stage.optional, *stage.broadcast} <= known
    assert stage.about().endswith((".", "?")), "a sentence"
    assert set(stage.measured) <= set(stage.schema.names)


@pytest.mark.parametrize("name", [n for n in ALL if isinstance(STAGES[n], RowByRow)])
def test_what_a_stage_takes_of_a_table_is_what_the_table_has(name: str) -> None:
    stage: Any = STAGES[name]
    assert {table: row_of(STAGES, table) for table in stage.reads} == stage.reads
    assert set(stage.reads) <= {*stage.inputs, *stage.optional}
    assert {of for of, _ in sources(stage.view).values()} <= set(stage.reads.values())


def test_a_stage_without_an_estimate_cannot_be_made() -> None:
    class Uncosted(Stage):
        name = "uncosted"

        def run(self, task, inputs, ctx):  # type: ignore[no-untyped-def]
            yield from ()

    with pytest.raises(TypeError, match="estimate"):
        Uncosted()  # type: ignore[abstract]


def test_gates_are_stages_that_judge_the_table_they_are_named_for() -> None:
    for table, gates in GATES.items():
        assert table in STAGES
        assert all(getattr(STAGES[g], "of", None) == table for g in gates)


def test_of_a_plan_without_stages_the_manifest_says_that_nothing_is_known() -> None:
    said = sections([], load_pipeline("stage1-2"))
    assert said["audio_checks"] == {"signal": None, "asr": None, "mos": None, "speaker": None}
    assert said["screened"] == {"near_duplicates": None, "contamination": None}
    assert said["judge"] is None
    assert said["speakers"] == []
    assert said["dialogues"]["used"] == 0
