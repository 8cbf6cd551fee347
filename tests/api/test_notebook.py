"""`examples/first_steps.ipynb` runs from top to bottom, and its text keeps its word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import NOTEBOOK

pytestmark = pytest.mark.long


def test_it_runs_and_shows_what_it_says(names: dict[str, Any]) -> None:
    assert len(names["data"]) == names["data"].manifest["rows"] > 0
    assert names["sample"]["task"] == "empathy"
    assert len(names["fate"].samples) > 1, "a record that became several samples"
    assert names["replies"][0]["status"] == "ok"
    assert names["unknown"][0]["reason"] == "not_recorded"


def test_it_is_committed_without_outputs() -> None:
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"] and cell["execution_count"] is None
