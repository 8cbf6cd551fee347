from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.errors import UserError


def test_descriptors_say_how_a_family_thinks() -> None:
    qwen3, qwen25 = load_descriptor("qwen3"), load_descriptor("qwen2.5")
    assert (qwen3.think_close_id, qwen3.worked_examples, qwen3.no_think) == (151668, False, "<think>\n\n</think>\n\n")
    assert (qwen25.think_close_id, qwen25.worked_examples, qwen25.no_think) == (None, True, "")
    assert qwen3.sampling.thinking.request().temperature == 0.6


def test_mistakes_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"did you mean 'qwen2\.5'"):
        load_descriptor("qwen25")
    good = load_descriptor("qwen3").model_dump(mode="json")
    path = tmp_path / "mine.yaml"
    for change, said in [
        ({"famly": "x"}, "did you mean 'family'"),
        ({"control_strings": ["<", *good["control_strings"]]}, "at least two characters"),
        ({"control_strings": good["control_strings"][:3]}, "lacks '<think>'"),
    ]:
        path.write_text(yaml.safe_dump(good | change), encoding="utf-8")
        with pytest.raises(UserError, match=said):
            load_descriptor(path)
    path.write_text(yaml.safe_dump(good), encoding="utf-8")
    assert load_descriptor(path) == load_descriptor("qwen3")
