"""A build and a remote corpus: workers that read from S3, the commit that it keeps to, what a user is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from ieat_data import paths
from ieat_data.cli import app
from ieat_data.config import Pipeline, Profile, Sources
from ieat_data.cost.corpora import Stated, corpora
from ieat_data.cost.figures import Figures
from ieat_data.errors import UserError
from ieat_data.execution.plan import Plan
from ieat_data.storage.sealed import seal
from tests.support.remote import S3, SECRET, Hub, hub_store, s3_store, told

SAMPLES = Path(__file__).parents[2] / "samples"
PROFILE = Profile(name="none", engines={})


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    with s3_store(monkeypatch) as store:
        yield store


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with hub_store(monkeypatch, tmp_path) as store:
        yield store


def source(folder: Path, reader: str, root: str, **options: Any) -> str:
    """The YAML of a source."""
    path = folder / f"{reader}.yaml"
    spec = {"name": "there", "reader": reader, "root": root, "language": "en", "licence": "CC0", "options": options}
    path.write_text(yaml.safe_dump({**spec, "terms": "agree to them first", "non_commercial": False}), "utf-8")
    return str(path)


def pipeline(name: str, kind: str = "text") -> Pipeline:
    listed = Sources(text=(name,)) if kind == "text" else Sources(speech=(name,))
    return Pipeline(name="t", sources=listed, configs=("queries" if kind == "text" else "ingest",), rows_per_shard=3)


def rows(work: Path, out: Path, name: str) -> list[dict[str, Any]]:
    """What `ieat ingest` makes of a source."""
    done = CliRunner().invoke(app, ["ingest", name, "--out", str(out), "--rows-per-shard", "3"])
    assert done.exit_code == 0, done.output
    assert SECRET not in done.output
    parts = sorted((out / "data").glob("*.parquet"))
    assert len(parts) > 1
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def test_ingest_from_s3_gives_the_rows_of_the_folder(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put(SAMPLES / "emilia", "mirror/emilia")
    monkeypatch.setenv("THERE", str(SAMPLES / "emilia"))
    name = source(tmp_path, "emilia", "${THERE}/Emilia/EN")
    local = rows(tmp_path, tmp_path / "local", name)
    monkeypatch.setenv("THERE", "s3://corpora/mirror/emilia/")
    assert local and rows(tmp_path, tmp_path / "remote", name) == local
    assert s3.reads and s3.whole == []
    for path in (p for p in (tmp_path / "remote").rglob("*") if p.is_file()):
        assert SECRET.encode() not in path.read_bytes(), path


def test_a_build_keeps_to_the_commit_that_it_began_with(hub: Hub, tmp_path: Path) -> None:
    name = source(tmp_path, "ultrachat", hub.put(SAMPLES / "ultrachat", "chat"))
    began = hub.commits[-1][0]
    plan = Plan(pipeline(name), PROFILE, tmp_path / "work")
    assert plan.pipeline.revisions == {"hf://datasets/someone/corpora": began}
    plan.persist()
    plan.work.replace("build.json", seal({"pipeline": plan.pipeline.model_dump()}))
    (node,) = plan.nodes.values()
    hub.commit({"chat/train_0.jsonl": b'{"id": "1", "data": ["How do I tell my sister that I move?", "x"]}\n'})
    (again,) = Plan(pipeline(name), PROFILE, tmp_path / "work").nodes.values()
    assert again.table.folder == node.table.folder
    stage, task = again.stage, again.tasks[0]
    _, read = stage.records(task, plan.pipeline)  # type: ignore[attr-defined]
    assert len(list(read)) == 3
    other = Plan(pipeline(name), PROFILE, tmp_path / "other")
    assert other.pipeline.revisions == {"hf://datasets/someone/corpora": hub.commits[-1][0]}
    (new,) = other.nodes.values()
    assert new.table.folder.name != node.table.folder.name and len(new.tasks) == 1
    pinned = pipeline(name).model_copy(update={"revisions": {"hf://datasets/someone/corpora": began}})
    (chosen,) = Plan(pinned, PROFILE, tmp_path / "other").nodes.values()
    assert chosen.table.folder.name == node.table.folder.name, "the same files are the same table"


def test_a_pipeline_without_a_hub_says_nothing_of_revisions() -> None:
    assert "revisions" not in pipeline("sample-ultrachat").model_dump(mode="json")


def test_the_terms_of_a_gated_dataset_are_told(hub: Hub, tmp_path: Path) -> None:
    name = source(tmp_path, "ultrachat", hub.put(SAMPLES / "ultrachat", "chat"))
    hub.gated = True
    with pytest.raises(UserError, match=r"someone/corpora .* HF_TOKEN .*its terms: agree to them first") as caught:
        Plan(pipeline(name), PROFILE, tmp_path / "work")
    assert told(caught.value).startswith(f"source {name!r}")


def test_costs_of_a_remote_corpus(s3: S3, tmp_path: Path) -> None:
    name = source(tmp_path, "ultrachat", s3.put(SAMPLES / "ultrachat", "chat"))
    (found,) = corpora(pipeline(name), PROFILE, Stated({}, {}), Figures())
    assert found.rows == 21 and not found.stated


def test_the_list_of_sources(s3: S3, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources").mkdir()
    monkeypatch.setattr(paths, "sources_dir", lambda: tmp_path / "sources")
    for reader, root in (
        ("emilia", s3.put(SAMPLES / "emilia/Emilia", "emilia")),
        ("ultrachat", hub.put(SAMPLES / "ultrachat", "chat")),
        ("belle", "s3://corpora/nowhere"),
        ("libriheavy", "s3://no-such-bucket"),
    ):
        source(tmp_path / "sources", reader, root)
    done = CliRunner().invoke(app, ["sources"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()[1:]
    assert "no: s3://corpora/nowhere" in lines[0]
    assert "2 files" in lines[1] and "1 file" in lines[-1]
    assert "there is no bucket no-such-bucket" in done.output
