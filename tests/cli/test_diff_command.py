"""`ieat diff A B`: what two builds have in common, and what not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.dataset.compare import compare
from tests.apps.review import made


def edit(folder: Path, **changes: Any) -> None:
    """Change parts of a manifest."""
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def stage(**rejects: int) -> dict[str, Any]:
    return {"table": "t", "shards": 1, "rows": 9, "ok": 1, "rejects": rejects, "says": {}}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two datasets of the same ids: the first samples are the same, the others were written anew, one is gone."""
    a = made.dataset(tmp_path / "a", n=4, text="I lost my keys on the bus.")
    b = made.dataset(tmp_path / "b", n=3, text="I lost my umbrella on the bus.")
    stages = {"respond": stage(number=2, loop=1)}
    edit(a, stages=stages, pipeline={"name": "made", "seed": 1}, prompts={"x.yaml": "1", "gone.yaml": "2"})
    stages = {"respond": stage(number=5, loop=1), "inject": stage(no_close=1)}
    edit(b, stages=stages, pipeline={"name": "made", "seed": 2}, prompts={"x.yaml": "9", "new.yaml": "3"})
    return a, b


def test_counts_rejects_settings_and_prompts_that_differ_and_only_those(two: tuple[Path, Path]) -> None:
    found = compare(*two)
    assert not found["same"]
    counts = {one["what"]: (one["a"], one["b"]) for one in found["counts"]}
    assert counts["samples"] == (8, 6) and counts["config.stage1_2_empathy"] == (4, 3)
    assert found["rejects"] == [
        {"stage": "respond", "reason": "number", "a": 2, "b": 5},
        {"stage": "inject", "reason": "no_close", "a": 0, "b": 1},
    ]
    assert found["settings"] == [{"key": "pipeline.seed", "a": 1, "b": 2}]
    assert {one["file"]: (one["a"], one["b"]) for one in found["prompts"]} == {
        "x.yaml": ("1", "9"),
        "gone.yaml": ("2", None),
        "new.yaml": (None, "3"),
    }


def test_samples_are_paired_by_id_and_shown_side_by_side(two: tuple[Path, Path]) -> None:
    samples = compare(*two, n=1)["samples"]
    counts = {key: samples[key] for key in ("same", "changed", "only_a", "only_b")}
    assert counts == {"same": 2, "changed": 4, "only_a": 2, "only_b": 0}
    (one,) = samples["shown"]
    assert one["a"]["id"] == one["b"]["id"] == one["id"]
    assert "audios" not in one["a"]
    texts = {d["at"]: (d["a"], d["b"]) for d in one["differs"]}
    assert "keys" in texts["messages.1.content"][0] and "umbrella" in texts["messages.1.content"][1]


def test_a_sample_is_shown_by_its_id_also_where_it_is_the_same(two: tuple[Path, Path]) -> None:
    same = made.sample(0, "empathy", made.TEXT)["id"]
    (one,) = compare(*two, id_=same[:8])["samples"]["shown"]
    assert (one["id"], one["differs"]) == (same, [])


def test_the_command_says_it_in_words_and_exits_with_1(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(app, ["diff", *map(str, two), "-n", "1"])
    assert done.exit_code == 1
    assert "pipeline.seed: 1 → 2" in done.output
    assert "gone.yaml: only in A" in done.output and "x.yaml: changed" in done.output
    assert "2 the same, 4 changed, 2 only in A, 0 only in B" in done.output
    assert "[-keys-]{+umbrella+}" in done.output
    assert [line.split() for line in done.output.splitlines() if line.startswith("respond")] == [
        ["respond", "number", "2", "5", "+3"]
    ]
    told = CliRunner().invoke(app, ["diff", *map(str, two), "--json"])
    assert told.exit_code == 1 and json.loads(told.stdout) == compare(*two)


def test_a_dataset_is_the_same_as_its_copy_and_its_manifest_alone(two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(two[0], copy)
    done = CliRunner().invoke(app, ["diff", str(two[0]), str(copy)])
    assert done.exit_code == 0 and "the samples are the same" in done.output
    alone = shutil.copy(two[0] / "manifest.json", tmp_path / "alone.json")
    done = CliRunner().invoke(app, ["diff", str(two[0]), str(alone)])
    assert done.exit_code == 0 and "only a manifest" in done.output
