"""`ieat export`: what comes out is what the dataset holds, the same each time, and what is left out is counted."""

from __future__ import annotations

import hashlib
import json
import shutil
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
from ieat_data.dataset.opening import load_manifest
from ieat_data.dataset.verify import samples
from ieat_data.errors import UserError
from ieat_data.execution.plan import Plan
from ieat_data.plugins import load
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
            if m["role"] == "assistant":
                assert [p["text"] for p in written["answer"]] == [m["content"]]
                own = "".join(p["text"] for p in written.get("thought", ()) if p["origin"] != "tag")
                assert own == (m["think"] or "") and "transcript" not in written
                assert any(p["loss"] for p in written["answer"]) == m["train"]
            elif m["audio"] is not None:
                clip = Path(written["clip"]).read_bytes()
                assert duration(clip) == duration(sample["audios"][m["audio"]]["bytes"])
                seen += 1
    assert len(found) == made["rows"] and seen > made["rows"] / 2
    assert json.loads((tmp_path / "e/export.json").read_text())["content_digest"] == made["content_digest"]


def test_transcripts_are_written_where_they_are_wanted(dataset: Path, tmp_path: Path) -> None:
    export(dataset, "jsonl", tmp_path / "e", ["transcripts=true"])
    spoken = [m for line in lines(tmp_path / "e").values() for m in line["messages"] if "clip" in m]
    assert spoken and all(m["transcript"] for m in spoken)


@pytest.mark.parametrize("to", ["jsonl", "ms-swift", "webdataset"])
def test_the_same_bytes_each_time(dataset: Path, tmp_path: Path, to: str) -> None:
    found = []
    for _ in range(2):
        export(dataset, to, tmp_path / "e")
        found.append(tree(tmp_path / "e"))
        shutil.rmtree(tmp_path / "e")
    assert found[0] == found[1]


@pytest.mark.parametrize("to", ["jsonl", "ms-swift", "webdataset"])
def test_an_export_that_was_broken_off_goes_on_and_ends_the_same(
    dataset: Path, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = export(dataset, to, tmp_path / "e")
    expected = tree(tmp_path / "e")
    shutil.rmtree(tmp_path / "e")
    cls, asked = load(run.EXPORTERS[to], to), Counter[str]()
    real = cls.sample

    def breaks(self: Any, sample: Any, config: str) -> str | None:
        asked[sample["id"]] += 1
        if len(asked) == whole["conversations"] * 2 // 3 and asked.total() == len(asked):
            raise OSError("no space left")
        found: str | None = real(self, sample, config)
        return found

    monkeypatch.setattr(cls, "sample", breaks)
    with pytest.raises(OSError, match="no space"):
        export(dataset, to, tmp_path / "e")
    done = json.loads((tmp_path / "e.partial/progress.json").read_text())["shards"]
    assert done > 0
    assert export(dataset, to, tmp_path / "e") == whole
    assert tree(tmp_path / "e") == expected
    assert asked.total() < 2 * len(asked), "finished shards are not read again"


def test_other_settings_begin_anew(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "e.partial").mkdir()
    (tmp_path / "e.partial/progress.json").write_text('{"key": "of another export", "shards": 3, "splits": {}}')
    (tmp_path / "e.partial/stage1_1.jsonl").write_text("{}\n")
    export(dataset, "jsonl", tmp_path / "e")
    assert "{}" not in (tmp_path / "e/stage1_1.jsonl").read_text().splitlines()


def test_only_the_wanted_configs(dataset: Path, tmp_path: Path) -> None:
    about = export(dataset, "jsonl", tmp_path / "e", configs=["stage1_1"])
    assert list(about["rows"]) == ["stage1_1"] == about["configs"]
    with pytest.raises(UserError, match=r"has no 'stage1_2' \(did you mean"):
        export(dataset, "jsonl", tmp_path / "f", configs=["stage1_2"])


def test_no_speaker_is_in_two_splits_and_every_sample_is_somewhere(dataset: Path, tmp_path: Path) -> None:
    about = export(dataset, "jsonl", tmp_path / "e", split="train=0.5,val=0.5")
    found = {name: lines(tmp_path / "e" / name) for name in ("train", "val")}
    assert all(found.values()) and not set(found["train"]) & set(found["val"])
    by_id = {s["id"]: s for s in samples(dataset)}
    heard = {
        name: {p["speaker"] for i in ids for p in by_id[i]["spans"] if p["kind"] == "utterance"}
        for name, ids in found.items()
    }
    assert not heard["train"] & heard["val"]
    crossed = sum(part["left_out"].get("crosses_splits", 0) for part in about["splits"].values())
    assert sum(map(len, found.values())) + crossed == len(by_id)
    for text, why in (("train=0.5", "add up to 0.5"), ("train", "expected names"), ("a=.5,a=.5", "twice")):
        with pytest.raises(UserError, match=why):
            export(dataset, "jsonl", tmp_path / "f", split=text)


def test_few_samples_are_in_memory_at_once(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Counter[str]()
    real = pq.ParquetFile.iter_batches

    def counted(self: Any, batch_size: int, columns: Any = None) -> Any:
        for batch in real(self, batch_size=batch_size, columns=columns):
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
    with pytest.raises(UserError, match=r"exporter jsonl: unknown key 'transcript' \(did you mean 'transcripts'"):
        export(dataset, "jsonl", tmp_path / "e", ["transcript=true"])
    with pytest.raises(UserError, match=r"exists already: name another folder"):
        export(dataset, "jsonl", dataset)
    with pytest.raises(UserError, match="not an output folder"):
        export(tmp_path, "jsonl", tmp_path / "e")
    assert not list(tmp_path.glob("e*"))
