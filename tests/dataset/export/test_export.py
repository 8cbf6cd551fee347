"""`ieat export`: what comes out is what the dataset holds, the same each time, and what is left out is counted."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ieat_data import paths
from ieat_data.cli import app
from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.audio import duration
from ieat_data.dataset.export import run
from ieat_data.dataset.export.run import export
from ieat_data.dataset.verify import load_manifest, samples
from ieat_data.errors import UserError
from ieat_data.execution.plan import Plan
from tests.support import corpora
from tests.support.in_process import build_here

pytestmark = pytest.mark.long

OWN = """
from ieat_data.dataset.export.base import Exporter, ExportSettings

class Settings(ExportSettings):
    most_turns: int = 9

class Names(Exporter):
    Settings = Settings

    def sample(self, sample, config):
        if sample["n_turns"] > self.settings.most_turns:
            return "too_many_turns"
        if sample["task"] == "response":
            raise ValueError("no such thing")
        with (self.out / "names.txt").open("a") as f:
            f.write(sample["id"] + "\\n")
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    made = corpora.make(folder)
    build_here(Plan(load_pipeline(made.pipeline), load_profile(made.profile), folder / "work"), folder / "out")
    return folder / "out"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "ieat.toml").write_text('name = "mine"\n')
    (tmp_path / "my_exporter.py").write_text(OWN)
    monkeypatch.setenv(paths.PROJECT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("my_exporter", None)
    return "my_exporter:Names"


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    texts = (line for path in folder.glob("*.jsonl") for line in path.read_text("utf-8").splitlines())
    return {line["id"]: line for line in map(json.loads, texts)}


def tree(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_jsonl_holds_every_sample_turn_by_turn(dataset: Path, tmp_path: Path) -> None:
    about = export(dataset, "jsonl", tmp_path / "e")
    found, made = lines(tmp_path / "e"), load_manifest(dataset)
    assert about["rows"] == {name: c["rows"] for name, c in made["configs"].items()} and about["left_out"] == {}
    assert about["files"] == [f"{name}.jsonl" for name in sorted(made["configs"])]
    seen = 0
    for sample in samples(dataset):
        line = found[sample["id"]]
        assert [m["role"] for m in line["messages"]] == [m["role"] for m in sample["messages"]]
        for written, m in zip(line["messages"], sample["messages"], strict=True):
            assert written["content"] == m["content"] and written.get("think") == m["think"]
            assert written.get("think_spans") == m["think_spans"] and "transcript" not in written
            assert written.get("train") == (m["train"] if m["role"] == "assistant" else None)
            if m["audio"] is not None:
                clip = (tmp_path / "e" / written["audio"]).read_bytes()
                assert duration(clip) == duration(sample["audios"][m["audio"]]["bytes"])
                seen += 1
    assert len(found) == made["rows"] and seen > made["rows"] / 2
    assert json.loads((tmp_path / "e/export.json").read_text())["content_digest"] == made["content_digest"]


def test_transcripts_are_written_where_they_are_wanted(dataset: Path, tmp_path: Path) -> None:
    export(dataset, "jsonl", tmp_path / "e", ["transcripts=true"])
    spoken = [m for line in lines(tmp_path / "e").values() for m in line["messages"] if "audio" in m]
    assert spoken and all(m["transcript"] for m in spoken if m["role"] == "user")


def test_the_same_bytes_each_time(dataset: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(dataset, "jsonl", tmp_path / name)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_few_samples_are_in_memory_at_once(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Counter[str]()
    real = pq.ParquetFile.iter_batches

    def counted(self: Any, batch_size: int) -> Any:
        for batch in real(self, batch_size=batch_size):
            taken[f"{len(batch) <= run._BATCH}"] += 1
            yield batch

    monkeypatch.setattr(run, "_BATCH", 2)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    export(dataset, "jsonl", tmp_path / "e")
    assert taken["True"] >= load_manifest(dataset)["rows"] / 2 and not taken["False"]


def test_an_exporter_of_one_s_own_and_what_it_leaves_out(dataset: Path, tmp_path: Path, own: str) -> None:
    made = load_manifest(dataset)
    only = tmp_path / "dataset.json"
    shards = [s for s in made["shards"] if "stage1_1" not in s["path"]]
    only.write_text(json.dumps({**made, "root": str(dataset), "shards": shards}))
    done = CliRunner().invoke(
        app, ["export", str(only), "--to", own, "-o", str(tmp_path / "e"), "--set", "most_turns=1"]
    )
    assert done.exit_code == 0, done.output
    kept = (tmp_path / "e/names.txt").read_text().split()
    rows = list(samples(only))
    assert kept == [s["id"] for s in rows if s["n_turns"] == 1]
    assert f"left out: {len(rows) - len(kept)} (too_many_turns)" in done.output and len(rows) > len(kept)
    about = json.loads((tmp_path / "e/export.json").read_text())
    assert about["settings"] == {"most_turns": 1} and len(about["source"]) == 64


def test_what_breaks_names_the_sample_and_leaves_no_export(dataset: Path, tmp_path: Path, own: str) -> None:
    with pytest.raises(ValueError, match="no such thing") as e:
        export(dataset, own, tmp_path / "e")
    assert any("of stage1_1" in note for note in e.value.__notes__)
    assert not (tmp_path / "e").exists()
    export(dataset, "jsonl", tmp_path / "e")
    assert not (tmp_path / "e.partial").exists(), "what was broken off is cleared away"


def test_what_is_wrong_is_one_line(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--to 'json' is not known \(did you mean 'jsonl'\?\)"):
        export(dataset, "json", tmp_path / "e")
    with pytest.raises(
        UserError, match=r"exporter jsonl: --set: unknown key 'transcript' \(did you mean 'transcripts'"
    ):
        export(dataset, "jsonl", tmp_path / "e", ["transcript=true"])
    with pytest.raises(UserError, match=r"exists already: name another folder"):
        export(dataset, "jsonl", dataset)
    with pytest.raises(UserError, match="not an output folder"):
        export(tmp_path, "jsonl", tmp_path / "e")
    assert not list(tmp_path.glob("e*"))
