"""`load` and `build`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import ieat_data
from ieat_data.dataset.verify import samples, verify
from tests.support import corpora

pytestmark = pytest.mark.long


def test_a_dataset_is_read_as_rows_as_arrow_and_by_id(out: Path) -> None:
    data = ieat_data.load(out)
    rows = list(data)
    assert rows == list(samples(out))
    assert len(data) == len(rows) == data.manifest["rows"]
    assert data.arrow(["id", "task"]).to_pylist() == [{"id": r["id"], "task": r["task"]} for r in rows]
    assert list(next(data.rows(["task"]))) == ["task"]
    assert data.sample(rows[5]["id"][:12]) == rows[5]
    assert str(out) in repr(data) and f"{len(rows)} samples" in repr(data)


def test_a_config_is_a_part_of_it(out: Path) -> None:
    part = ieat_data.load(out, "stage1_2_trajectory")
    assert part.configs == ("stage1_2_trajectory",)
    assert {s["task"] for s in part} == {"trajectory"}
    assert 0 < len(part) < len(ieat_data.load(out))


def test_a_manifest_elsewhere_leads_to_it(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "moved", ignore=shutil.ignore_patterns(".work"))
    assert len(ieat_data.load(tmp_path / "moved" / "manifest.json")) == len(ieat_data.load(out))
    next(iter((tmp_path / "moved" / "data" / "stage1_1").iterdir())).unlink()
    with pytest.raises(ieat_data.UserError, match=r"1 of its \d+ shards are missing, such as .*stage1_1"):
        ieat_data.load(tmp_path / "moved")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda out: ieat_data.load(out / "nowhere"), "not an output folder"),
        (lambda out: ieat_data.load(out, "stage1_2_emapthy"), r"no config .* \(did you mean 'stage1_2_empathy'\?\)"),
        (lambda out: ieat_data.load(out).sample("zz"), "no sample has the id 'zz'"),
        (lambda out: ieat_data.load(out).sample(""), "samples have an id that begins with"),
        (lambda out: ieat_data.build("stage1-3", "replay", out), "did you mean 'stage1-2'"),
        (lambda out: ieat_data.build("stage1-2", "replay", out, settings={"sede": 1}), "did you mean 'seed'"),
    ],
)
def test_a_user_s_fault_is_one_line(out: Path, call: Any, line: str) -> None:
    with pytest.raises(ieat_data.UserError, match=line):
        call(out)


def test_a_build_with_engines_in_this_process(tmp_path: Path) -> None:
    c = corpora.make(tmp_path, 4)
    settings = {"stages.respond": {"attempts": 2}, "profile.shards_in_flight": 1, "configs": ["stage1_1"]}
    data = ieat_data.build(c.pipeline, c.profile, tmp_path / "out", settings=settings, limit=2, in_process=True)
    assert data.configs == ("stage1_1",)
    assert data.manifest["pipeline"]["stages"]["respond"] == {"attempts": 2}
    assert len(data) == 8, "two records of each of four sources"
    assert verify(tmp_path / "out") == []
