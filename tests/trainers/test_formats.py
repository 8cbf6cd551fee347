"""Archives, read by their own libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers.exports import agrees

pytestmark = pytest.mark.trainers


@pytest.mark.parametrize("to", ["webdataset", "lhotse-shar"])
def test_what_carries_a_loss_is_what_the_sample_says(few: Path, tmp_path: Path, to: str) -> None:
    agrees(few, to, tmp_path / "e", {})
