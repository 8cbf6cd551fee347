"""pipelines/humdial.yaml: what its settings make of a build is the benchmark's layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.dataset.verify import samples, verify
from ieat_data.paths import pipelines_dir
from tests.support import corpora
from tests.support.in_process import build_here

SPEC = yaml.safe_load((pipelines_dir() / "humdial.yaml").read_text(encoding="utf-8"))


@pytest.mark.long
def test_a_dialogue_is_laid_out_as_the_benchmark_has_it(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 10, stages=SPEC["stages"], instructions=SPEC["instructions"])
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["tts"]["engine"] = "tests.support.doubles:ToneTTS"
    path.write_text(yaml.safe_dump(profile))
    out = tmp_path / "out"
    manifest = build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    assert verify(out) == []
    seen: dict[str, set[int]] = {"reasoning": set(), "trajectory": set(), "empathy": set()}
    for sample in samples(out):
        if sample["task"] not in seen:
            continue
        roles = [m["role"] for m in sample["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2) or sample["n_turns"] == 1
        kinds = [m["kind"] for m in sample["messages"]]
        if sample["task"] == "empathy":
            assert "question" not in kinds
        else:
            assert kinds.index("question") == len(kinds) - 2, "the question is the last turn, of its own"
            assert sample["instruction"]["placement"] == "own_turn"
        seen[sample["task"]].add(sample["n_turns"])
    assert {3, 4} <= seen["trajectory"] and {1, 3, 4} <= seen["reasoning"] and {1, 3, 4} <= seen["empathy"]
    assert manifest["rubric"]["flat_trajectory"]["answers"] == sum(s["task"] == "trajectory" for s in samples(out)), (
        "each trajectory is counted"
    )
    assert manifest["stages"]["speak_replies"]["ok"] > 5
