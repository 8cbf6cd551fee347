from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ieat_data.apps.report.view import View, finished
from tests.support import replayed


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as a published folder, with its work folder."""
    out = tmp_path_factory.mktemp("built") / "sample"
    replayed.sample(out)
    return out


@pytest.fixture(scope="session")
def view(built: Path) -> View:
    return finished(built)


@pytest.fixture(scope="session")
def made(built: Path) -> dict[str, Any]:
    """Its manifest."""
    found: dict[str, Any] = json.loads((built / "manifest.json").read_text())
    return found


@pytest.fixture(scope="session")
def rejected(made: dict[str, Any]) -> int:
    """How many of its rows were rejected."""
    return sum(sum(s["rejects"].values()) for s in made["stages"].values())
