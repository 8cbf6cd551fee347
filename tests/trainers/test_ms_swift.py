"""ms-swift reads each form of the export through Qwen2.5-Omni's own template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.exports import agrees

pytestmark = pytest.mark.trainers

OPTIONS: list[dict[str, Any]] = [
    {},
    {"turns": "last", "history_think": "strip"},
    {"turns": "each", "history_think": "strip", "injected": "train"},
    {"turns": "each", "history_think": "keep", "injected": "drop", "audio": "embed"},
    {"think": "none", "max_audio_s": None},
    {"descriptor": "qwen2.5", "injected": "train", "max_audio_s": 300.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_carries_a_loss_is_what_the_sample_says(
    few: Path, tmp_path: Path, tiny: Callable[[str], str], options: dict[str, Any]
) -> None:
    agrees(few, "ms-swift", tmp_path / "e", options, model=tiny("qwen2_5_omni"), model_type="qwen2_5_omni")
