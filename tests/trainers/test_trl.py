"""TRL: the exported collator with the real processors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainers.exports import agrees

pytestmark = pytest.mark.trainers


@pytest.mark.parametrize("model", ["qwen2_audio", "qwen2_5_omni"])
def test_what_carries_a_loss_is_what_the_sample_says(
    few: Path, tmp_path: Path, tiny: Callable[[str], str], model: str
) -> None:
    agrees(few, "trl", tmp_path / "e", {}, model=tiny(model))
