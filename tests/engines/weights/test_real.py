"""The real models of the catalogue, where they are in the cache."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ieat_data.engines.weights import describe, resolve
from ieat_data.engines.weights.catalogue import load

pytestmark = pytest.mark.models


@pytest.mark.parametrize("name", list(load().models))
def test_a_model_is_what_the_catalogue_says(name: str) -> None:
    path, files = resolve(name), describe(name)["files"]
    folder = path.parent if load().models[name].entry else path
    assert all((folder / f).is_file() for f in files)


def test_the_files_are_of_their_kinds() -> None:
    with resolve("qwen2.5-coder-1.5b-instruct-q4").open("rb") as f:
        assert f.read(4) == b"GGUF"
    assert "suppress_ids" in json.loads((resolve("whisper-base") / "config.json").read_text())
    with np.load(resolve("kokoro-voices"), allow_pickle=False) as voices:
        assert len(voices.files) == 36
        assert {voices[v].shape for v in voices.files} == {(510, 1, 256)}
        assert all(voices[v].dtype == np.float32 and np.isfinite(voices[v]).all() for v in voices.files)
