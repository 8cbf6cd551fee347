"""The sample, as `examples/first_steps.ipynb` builds it: one build for all tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "first_steps.ipynb"


@pytest.fixture(scope="session")
def cells() -> list[str]:
    """The code cells of the notebook."""
    listed = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in listed if c["cell_type"] == "code"]


@pytest.fixture(scope="session")
def names(cells: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the notebook's names stand for after it ran, in a folder of its own (`folder`)."""
    folder = tmp_path_factory.mktemp("notebook")
    left: dict[str, Any] = {"folder": folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for cell in cells:
            exec(compile(cell, NOTEBOOK.name, "exec"), left)
    return left


@pytest.fixture(scope="session")
def out(names: dict[str, Any]) -> Path:
    """The dataset folder."""
    folder: Path = names["folder"] / "data" / "sample"
    return folder
