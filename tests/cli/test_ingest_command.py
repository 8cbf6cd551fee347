"""`ieat ingest`: one source as a table, with statistics and a picture."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ieat_data.building import build
from ieat_data.cli import app
from ieat_data.cli.build import make_plan
from ieat_data.errors import UserError
from tests.support import corpora


def test_a_speech_corpus(tmp_path: Path) -> None:
    importlib.import_module("matplotlib")  # of an extra: it draws the picture
    corpora.emilia_tar(
        tmp_path / "emilia-en" / "EN-B000000.tar", corpora.EN, "en", [("EN_x.json", b"{"), ("EN_x.mp3", b"?")]
    )
    corpora.make(tmp_path / "rest", 4)
    source = tmp_path / "rest" / "sources" / "emilia-en.yaml"
    source.write_text(source.read_text().replace(str(tmp_path / "rest" / "emilia-en"), str(tmp_path / "emilia-en")))
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["ingest", str(source), "--out", str(out), "--rows-per-shard", "3"])
    assert done.exit_code == 0, done.output
    found = json.loads((out / "statistics.json").read_text())
    assert (found["rows"], found["rejects"], found["languages"]) == (8, {"bad_json": 1}, {"en": 8})
    assert (found["speakers"], found["sample_rates_hz"]) == (2, {"16000": 8})
    rows = [r for p in sorted((out / "data").glob("*.parquet")) for r in pq.read_table(p).to_pylist()]
    assert len(rows) == 9 and [r["reference"] for r in rows[:8]] == corpora.EN
    assert found["hours"] == pytest.approx(sum(r["duration_s"] or 0 for r in rows) / 3600, abs=1e-5)
    assert sum(found["clips_by_second"].values()) == 8
    assert (out / "statistics.png").read_bytes().startswith(b"\x89PNG")
    assert "rejects" in done.output and "bad_json: 1" in done.output
    assert "executor: local (this process, 9 records to read)" in done.output


def test_a_text_corpus_has_no_clips_and_no_picture(tmp_path: Path) -> None:
    corpora.make(tmp_path, 4)
    done = CliRunner().invoke(app, ["ingest", str(tmp_path / "sources" / "belle.yaml"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert found["rows"] == 4 and "hours" not in found
    assert not (tmp_path / "out" / "statistics.png").exists()


def test_a_pipeline_does_not_publish_a_source_s_table(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 4, configs=["ingest"])
    with pytest.raises(UserError, match="configs: ingest is not a dataset: ieat ingest makes it"):
        build(make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None), tmp_path / "out")


def test_again_with_fewer_records_nothing_old_is_left_and_nothing_is_copied(tmp_path: Path) -> None:
    corpora.make(tmp_path, 4)
    command = ["ingest", str(tmp_path / "sources" / "emilia-en.yaml"), "--out", str(tmp_path / "out")]
    kept = []
    for more in ([], [], ["--limit", "2"]):
        assert CliRunner().invoke(app, [*command, "--rows-per-shard", "1", *more]).exit_code == 0
        kept.append({p.name: p.stat().st_ino for p in (tmp_path / "out" / "data").glob("*.parquet")})
    first, again, fewer = kept
    assert len(first) == 4 and again == first
    assert len(fewer) == 2
