"""The shipped catalogue, and what a wrong one is told."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from ieat_data.engines.weights import catalogue as catalogue_module
from ieat_data.engines.weights.catalogue import Catalogue, ModelError, get, load
from ieat_data.errors import UserError
from ieat_data.strict import validate
from tests.engines.weights.conftest import model, tiny_source


def test_the_shipped_catalogue_is_valid_and_complete() -> None:
    models = load().models
    assert set(models) == {"whisper-base", "qwen2.5-coder-1.5b-instruct-q4", "kokoro-82m", "kokoro-voices", "dnsmos"}
    assert len(models["qwen2.5-coder-1.5b-instruct-q4"].sources[0].packages) == 22
    voices = [Path(m.path).stem for m in models["kokoro-voices"].sources[0].members("voices.npz")]
    assert len(voices) == 36 and {v[0] for v in voices} == {"a", "b", "z"}
    assert all(m.size == 510 * 256 * 4 for m in models["kokoro-voices"].sources[0].members("voices.npz"))


def test_parts_are_in_the_order_of_their_numbers() -> None:
    parts = load().models["qwen2.5-coder-1.5b-instruct-q4"].sources[0].members("model.gguf")
    assert [m.path.rsplit("/", 1)[1] for m in parts] == [f"part{n:02d}.bin" for n in range(1, 23)]


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ModelError, match="did you mean 'whisper-base'"):
        get("whisper-bas")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda m: m["sources"][0]["files"].update(more={"size": 1, "sha256": "0" * 64}),
            "members of more have 0 bytes",
        ),
        (lambda m: m["sources"][0]["files"]["model.bin"].update(size=5), "members of model.bin"),
        (lambda m: m["sources"][0]["files"].pop("config.json"), "files that are not listed: config.json"),
        (lambda m: m["sources"][0]["packages"][0].update(version=">=1"), "version"),
        (lambda m: m["sources"][0]["packages"][0].update(name="--index-url=x"), "name"),
        (lambda m: m["sources"][0]["packages"][0]["members"][0].update(into="../x"), "into"),
        (lambda m: m.update(entry="other.bin"), "not a file of every source"),
        (lambda m: m.update(license="MIT"), "did you mean 'licence'"),
    ],
)
def test_a_wrong_entry_is_one_line(change: Any, said: str) -> None:
    entry = copy.deepcopy(model([tiny_source()]))
    change(entry)
    with pytest.raises(UserError, match=said) as caught:
        validate(Catalogue, {"note": "", "models": {"tiny": entry}}, "catalogue.yaml")
    assert "\n" not in str(caught.value)


def test_the_catalogue_lies_beside_its_module() -> None:
    assert catalogue_module.CATALOGUE.parent == Path(catalogue_module.__file__).parent
