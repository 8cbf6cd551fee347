"""The Croissant file is what MLCommons' own library takes it for, and its records are the samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ieat_data.data.columns import columns
from ieat_data.data.rows import Sample
from ieat_data.dataset import croissant
from ieat_data.dataset.opening import load_manifest
from ieat_data.dataset.verify import samples
from tests.dataset.test_card import MARKUP, manifest
from tests.support.finished import Finished

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of its own code


def read(path: Path) -> Any:
    mlcroissant = pytest.importorskip("mlcroissant")
    return mlcroissant.Dataset(jsonld=path)


def warnings(dataset: Any) -> list[str]:
    return sorted(w.rpartition('Property "https://schema.org/')[2] for w in dataset.metadata.ctx.issues.warnings)


@pytest.mark.parametrize("text", MARKUP)
def test_mlcroissant_takes_a_file_in_which_a_source_says_anything(tmp_path: Path, text: str) -> None:
    path = tmp_path / "croissant.json"
    path.write_text(croissant.render(manifest(name=text, licence=text, terms=text)), encoding="utf-8")
    found = read(path)
    assert not found.metadata.ctx.issues.errors
    # a date would make two files of one dataset
    assert warnings(found) == ['datePublished" is recommended, but does not exist.']


def test_a_warning_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "croissant.json"
    said = json.loads(croissant.render(manifest()))
    del said["license"]
    path.write_text(json.dumps(said))
    assert len(warnings(read(path))) == 2


@pytest.mark.long
def test_its_records_are_the_samples(finished: Finished) -> None:
    found = read(finished.out / "croissant.json")
    made = load_manifest(finished.out)
    there = {row["id"]: row for row in samples(finished.out)}
    seen = 0
    for config in made["configs"]:
        for record in found.records(config):
            row = there[record[f"{config}/id"].decode()]
            assert record[f"{config}/n_turns"] == row["n_turns"]
            assert record[f"{config}/audios"] == [a["bytes"] for a in row["audios"]]
            assert record[f"{config}/provenance"][f"{config}/provenance/seed"] == row["provenance"]["seed"]
            turns = record[f"{config}/messages"]
            assert len(turns) == len(row["messages"])
            for turn, message in zip(turns, row["messages"], strict=True):
                own = {k.rpartition("/")[2]: v.decode() if isinstance(v, bytes) else v for k, v in turn.items()}
                emotion = message["emotion"] or {}
                assert own["emotion.label"] == emotion.get("label")
                assert {k: own[k] for k in ("role", "content", "think", "train", "audio")} == {
                    k: message[k] for k in ("role", "content", "think", "train", "audio")
                }
            seen += 1
    assert seen == made["rows"] > 0


def test_each_column_and_all_in_it_is_named() -> None:
    """A leaf that is no field stands in its column's description."""
    (records,) = json.loads(croissant.render(manifest()))["recordSet"]
    fields = {f["name"]: f for f in records["field"]}
    assert list(fields) == list(columns(Sample))
    for name, kind in columns(Sample).items():
        said = {s["name"].split(".")[0] for s in fields[name].get("subField", ())}
        arrow = kind.arrow.value_type if pa.types.is_list(kind.arrow) else kind.arrow
        if pa.types.is_struct(arrow) and name != "audios":
            assert all(f.name in said or f.name in fields[name]["description"] for f in arrow)


def test_every_file_has_its_hash_and_every_config_its_very_files() -> None:
    made = manifest()
    files, group = json.loads(croissant.render(made))["distribution"]
    (shard,) = made["shards"]
    assert (files["contentUrl"], files["sha256"], files["contentSize"]) == (shard["path"], shard["sha256"], "10 B")
    assert group["includes"] == [shard["path"]]
