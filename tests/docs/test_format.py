"""The format page and the JSON Schemas hold of real files: shipped ones, and those of a build and its exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ieat_data.data import schema
from ieat_data.data.columns import columns
from ieat_data.data.rows import Message, Sample, Span
from ieat_data.dataset.documents import Manifest, SplitExport, WholeExport
from ieat_data.dataset.export.run import export
from ieat_data.dataset.verify import samples
from ieat_data.hashing import fingerprint
from scripts.make_reference import FOLDER, ROOT
from scripts.reference.schemas import SCHEMAS
from tests.support.finished import Finished

PAGE = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")


def faults(name: str, value: Any) -> list[str]:
    """What the committed schema says against a value."""
    made = json.loads((FOLDER / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(made)
    found = jsonschema.Draft202012Validator(made).iter_errors(value)
    return [f"{e.json_path}: {e.message}" for e in found]


def shipped(pattern: str) -> list[Path]:
    found = sorted(ROOT.glob(pattern))
    assert found
    return found


FILES = [
    *(("pipeline", p) for p in shipped("pipelines/*.yaml")),
    *(("profile", p) for p in shipped("pipelines/profiles/*.yaml")),
    *(("source", p) for p in shipped("manifests/sources/*.yaml")),
    ("manifest", ROOT / "manifests" / "sample.json"),
]


def read(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return found


@pytest.mark.parametrize(("name", "path"), FILES, ids=lambda v: v.stem if isinstance(v, Path) else None)
def test_what_we_ship_holds_to_the_schemas(name: str, path: Path) -> None:
    assert faults(name, read(path)) == []


@pytest.mark.parametrize("name", [n for n in SCHEMAS if n not in ("manifest", "export")])
def test_a_key_that_is_none_is_found(name: str) -> None:
    ours: dict[str, Any] = {"project": {"name": "mine"}, "review": {"reviewers": ["anna"]}}  # files of which we ship none
    right = ours.get(name) or read(next(p for n, p in FILES if n == name))
    assert faults(name, right) == []
    assert any("'onfigs' was unexpected" in f for f in faults(name, {**right, "onfigs": []}))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda m: m.pop("shards"), "'shards' is a required property"),
        (lambda m: m.update(schema_version=schema.VERSION + 1), "$.schema_version"),
        (lambda m: m["shards"][0].update(sha256="?"), "$.shards[0].sha256"),
        (lambda m: m["configs"]["stage1_1"].update(rows=-1), "$.configs.stage1_1.rows"),
        (lambda m: m["sources"][0].pop("licence"), "$.sources[0]"),
        (lambda m: m["engines"]["llm"].pop("exact"), "$.engines.llm"),
    ],
)
def test_a_manifest_that_is_none_is_found(change: Any, where: str) -> None:
    made = read(ROOT / "manifests" / "sample.json")
    change(made)
    assert any(where in fault for fault in faults("manifest", made))
    assert faults("manifest", {**read(ROOT / "manifests" / "sample.json"), "new": 1}) == []


@pytest.mark.parametrize("where", ["shipped", pytest.param("built", marks=pytest.mark.long)])
def test_the_model_names_every_key_of_a_manifest(where: str, request: pytest.FixtureRequest) -> None:
    folder = ROOT / "manifests" / "sample.json"
    if where == "built":
        folder = request.getfixturevalue("finished").out / "manifest.json"
    made = read(folder)
    assert faults("manifest", made) == []
    assert Manifest.model_validate(made).model_dump(mode="json", exclude_unset=True) == made
    rest = {k: v for k, v in made.items() if k != "digest"}
    assert fingerprint(rest) == made["digest"]


@pytest.mark.long
@pytest.mark.parametrize(("to", "split"), [("jsonl", None), ("ms-swift", None), ("openai", "train=0.5,val=0.5")])
def test_export_json_holds_to_its_schema(finished: Finished, tmp_path: Path, to: str, split: str | None) -> None:
    settings = ["injected=train"] if to == "openai" else []
    export(finished.out, to, tmp_path / "exported", settings, split=split)
    about = read(tmp_path / "exported" / "export.json")
    assert faults("export", about) == []
    model = SplitExport if split else WholeExport
    assert model.model_validate(about).model_dump(mode="json", exclude_unset=True) == about
    assert faults("export", {k: v for k, v in about.items() if k not in ("rows", "splits")}) != []


@pytest.mark.long
def test_samples_are_as_the_page_says(finished: Finished) -> None:
    kinds, roles = set(), set()
    for row in samples(finished.out):
        assert all(row[c] is not None for c in ("id", "task", "training_stage", "language", "provenance"))
        assert 0 <= (row["provenance"]["seed"] or 0) < 2**31
        pointed = {m["audio"] for m in row["messages"]} - {None}
        assert pointed == set(range(len(row["audios"]))) and any(m["train"] for m in row["messages"])
        for m in row["messages"]:
            roles.add((m["role"], m["kind"]))
            assert m["content"] is not None and (m["think"] is None) == (m["think_spans"] is None)
            if m["think"] is not None:
                assert "".join(m["think"][s["start"] : s["end"]] for s in m["think_spans"]) == m["think"]
                assert m["think_spans"][-1]["origin"] == "model"
        for s in row["spans"]:
            kinds.add(s["kind"])
            assert s["kind"] != "gap" or (s["ref"], s["speaker"], s["clip"]) == (None, None, None)
            if s["kind"] == "utterance":
                assert s["ref"] in {u["utterance"] for u in row["provenance"]["utterances"]}
            if s["kind"] == "question":
                assert s["ref"] == row["instruction"]["id"]
        assert all(a["bytes"][:4] == b"fLaC" for a in row["audios"])
    assert all(f"`{kind}`" in PAGE for kind in kinds | {word for pair in roles for word in pair})


def test_the_page_is_about_this_version_and_every_column() -> None:
    assert f"This is version **{schema.VERSION}**" in PAGE
    assert f"| {schema.VERSION} | " in PAGE.partition("## Versions")[2]
    for cls in (Sample, Message):
        for name in columns(cls):
            assert f"`{name}`" in PAGE, name
    assert all(name in PAGE for name in columns(Span))
    for name in SCHEMAS:
        assert f"reference/schemas/{name}.schema.json" in PAGE
