"""MosaicML streaming reads the shards of the export."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ieat_data.data.audio import duration
from ieat_data.dataset.export import mds
from ieat_data.dataset.export.checking.run import check
from ieat_data.dataset.export.run import export
from ieat_data.dataset.verify import samples
from tests.trainers.exports import agrees

pytestmark = pytest.mark.trainers

OPTIONS: list[dict[str, Any]] = [
    {},
    {"turns": "last", "history_think": "strip", "shard_mb": 1},
    {"turns": "each", "history_think": "strip", "injected": "train", "transcripts": True},
    {"turns": "each", "injected": "drop", "think": "field", "max_audio_s": None},
    {"think": "none", "descriptor": "qwen2.5"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_carries_a_loss_is_what_the_sample_says(few: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    agrees(few, "mds", tmp_path / "e", options)


def test_the_readmes_lines_give_the_samples_clips(few: Path, tmp_path: Path) -> None:
    export(few, "mds", tmp_path / "e")
    found = re.search(r"```python\n(.*?)```", (tmp_path / "e/README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    here: dict[str, Any] = {}
    exec(found.group(1), here)
    read = {row["id"]: row for row in here["rows"]}
    wanted = {s["id"]: [a["bytes"] for a in s["audios"]] for s in samples(few)}
    assert {i: row["clips"] for i, row in read.items()} == {i: b"".join(clips) for i, clips in wanted.items()}
    assert {i: row["sizes"] for i, row in read.items()} == {i: [len(c) for c in clips] for i, clips in wanted.items()}
    assert all(duration(c)[0] > 0 for clips in wanted.values() for c in clips)


def test_both_splits_are_read(few: Path, tmp_path: Path) -> None:
    export(few, "mds", tmp_path / "e", split="train=0.5,val=0.5")
    told = list(check(few, tmp_path / "e"))
    assert [line.partition(":")[0] for line in told] == ["train/rows", "val/rows"]


def test_a_column_that_is_pickled_is_not_read(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mds, "_COLUMNS", {**mds._COLUMNS, "row": "pkl"})
    export(few, "mds", tmp_path / "e")
    with pytest.raises(ValueError, match="unsafe"):
        list(check(few, tmp_path / "e"))
