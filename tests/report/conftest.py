from __future__ import annotations

from pathlib import Path

import pytest

from tests import inline


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as a published folder, with its work folder."""
    out = tmp_path_factory.mktemp("built") / "sample"
    inline.sample(out)
    return out
