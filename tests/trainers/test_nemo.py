"""NeMo's own adapter and prompt formatters read the export."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.dataset.export.checking.run import check
from ieat_data.dataset.export.nemo import LOCATOR, Nemo
from ieat_data.dataset.export.run import export
from ieat_data.errors import UserError
from tests.trainers.exports import agrees, lines

pytestmark = pytest.mark.trainers
Tiny = Callable[[str], str]

OPTIONS: list[dict[str, Any]] = [
    {"injected": "train", "formatter": "qwen3"},
    {"injected": "drop", "formatter": "qwen3", "turns": "last", "audio_root": "."},
    {"injected": "train", "formatter": "qwen", "max_audio_s": None},
    {"think": "none", "formatter": "qwen", "descriptor": "qwen2.5", "max_audio_s": 300.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_carries_a_loss_is_what_the_sample_says(
    few: Path, tmp_path: Path, tiny: Tiny, options: dict[str, Any]
) -> None:
    agrees(few, "nemo", tmp_path / "e", options, model=tiny("qwen2_audio"))


@pytest.fixture(scope="module")
def exported(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "e"
    export(few, "nemo", out, ["injected=train"], ["stage1_2_trajectory", "stage1_2_reasoning"])
    return out


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change each turn of each row of an export."""
    rows = lines(path)
    for row in rows:
        for turn in row["conversations"]:
            change(turn)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def test_nemos_own_data_configuration_takes_the_readmes(exported: Path) -> None:
    from nemo.collections.common.data.lhotse.cutset import read_cutset_from_config
    from nemo.collections.common.data.lhotse.dataloader import make_structured_with_schema_warnings

    found = re.search(r"```yaml\n(.*?)```", (exported / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    given = yaml.safe_load(found.group(1))
    config = make_structured_with_schema_warnings({**given, "force_finite": True, "shuffle": False})
    assert config.prompt_format == "qwen3"
    rows = list(read_cutset_from_config(config)[0])
    written = [row for name in sorted(exported.glob("*.jsonl")) for row in lines(name)]
    assert sorted(r.id for r in rows) == sorted(r["id"] for r in written)
    assert all(t.audio_locator_tag == LOCATOR for r in rows for t in r.turns if hasattr(t, "cut"))


def test_a_clip_that_is_cut_is_told(few: Path, tmp_path: Path, tiny: Tiny) -> None:
    def shorten(turn: dict[str, Any]) -> None:
        if turn["type"] == "audio":
            turn["duration"] -= 0.01

    export(few, "nemo", tmp_path / "e", ["injected=train"], ["stage1_2_reasoning"])
    rewrite(tmp_path / "e" / "stage1_2_reasoning.jsonl", shorten)
    with pytest.raises(UserError, match=r"its clips stand in the user's turns \[\], not \[0"):
        list(check(few, tmp_path / "e", [f"model={tiny('qwen2_audio')}"]))


@pytest.mark.parametrize("formatter", ["qwen", "qwen3"])  # trains history; trains empty thoughts
def test_without_its_guards_the_check_would_fail(
    few: Path, tmp_path: Path, tiny: Tiny, formatter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Nemo, "row_fault", lambda *_: None)
    export(few, "nemo", tmp_path / "e", ["injected=train", f"formatter={formatter}"])
    with pytest.raises(UserError, match="what carries a loss differs"):
        list(check(few, tmp_path / "e", [f"model={tiny('qwen2_audio')}"]))


def test_that_qwen3_writes_think_into_users_turns_is_told(exported: Path, tiny: Tiny) -> None:
    from nemo.collections.common.data.lhotse.text_adapters import NeMoMultimodalConversationJsonlAdapter
    from nemo.collections.common.prompts import PromptFormatter
    from nemo.collections.common.tokenizers import AutoTokenizer

    tokenizer = AutoTokenizer(tiny("qwen2_audio"), use_fast=True)
    formatter = PromptFormatter.resolve("qwen3")(tokenizer)
    read = NeMoMultimodalConversationJsonlAdapter(str(exported / "stage1_2_reasoning.jsonl"), audio_locator_tag=LOCATOR)
    texts = [tokenizer.tokenizer.decode(r.apply_prompt_format(formatter).input_ids) for _ in range(5) for r in read]
    with_mode = [t for t in texts if "/think" in re.sub("</think>", "", t)]
    assert 0 < len(with_mode) < len(texts)
    assert not any("/think" in reply for t in with_mode for reply in re.findall(r"assistant\n.*?</think>(.*)", t))
    told = json.loads((exported / "export.json").read_text("utf-8"))["notes"]
    assert any("/think into a user's turn" in note for note in told)
    assert "/think into a user's turn" in (exported / "README.md").read_text("utf-8")
