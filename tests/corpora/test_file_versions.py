"""What the rows of a corpus depend on: small files by content, folders of very many as one entry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ieat_data.corpora.io import file_versions as module
from ieat_data.corpora.io.file_versions import file_versions
from ieat_data.corpora.io.units import SourceError


def test_files_by_content_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("a/z", "a-b", "b", "a/c/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = file_versions(tmp_path)
    assert [(e[0], e[1]) for e in found] == [("a/c/d", 5), ("a/z", 3), ("a-b", 3), ("b", 1)]
    os.utime(tmp_path / "b", ns=(1, 1))
    assert file_versions(tmp_path) == found, "content counts, not time"
    assert file_versions(tmp_path / "b") == [["b", 1, found[3][2]]]
    assert file_versions(tmp_path, ["a/c", "b"]) == [found[0], found[3]]
    with pytest.raises(SourceError, match="no such folder"):
        file_versions(tmp_path / "nowhere")


def test_very_many_files_are_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LISTED_FILES", 3)
    (tmp_path / "wavs").mkdir()
    for i in range(5):
        (tmp_path / f"wavs/{i}").write_text("x")
    (tmp_path / "list").write_text("x")
    before = file_versions(tmp_path)
    assert [e[:2] for e in before] == [["list", 1], ["wavs/", 5]]
    assert file_versions(tmp_path) == before
    (tmp_path / "wavs/3").write_text("other")
    assert file_versions(tmp_path)[1] != before[1] and file_versions(tmp_path)[0] == before[0]


def test_a_tree_of_very_many_files_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Emilia's raw tree has them: few in each folder, very many in all."""
    monkeypatch.setattr(module, "_LISTED_FILES", 3)
    for i in range(5):
        (tmp_path / f"EN_B00000/S{i}/mp3").mkdir(parents=True)
        (tmp_path / f"EN_B00000/S{i}/mp3/W.mp3").write_text("x")
    (tmp_path / "EN_B00001").mkdir()
    (tmp_path / "EN_B00001/W.mp3").write_text("x")
    (tmp_path / "EN_B00000.jsonl").write_text("{}")
    before = file_versions(tmp_path)
    assert [e[:2] for e in before] == [["EN_B00000/", 5], ["EN_B00000.jsonl", 2], ["EN_B00001/W.mp3", 1]]
    (tmp_path / "EN_B00000/S3/mp3/W.mp3").rename(tmp_path / "EN_B00000/S3/mp3/V.mp3")
    after = file_versions(tmp_path)
    assert after[0] != before[0] and after[1:] == before[1:]
