"""LLaMA-Factory reads the export by the README beside it, with the processors of three models, and trains a step."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.dataset.export.checking.base import Seen, merged
from ieat_data.dataset.export.checking.run import check
from ieat_data.dataset.export.llamafactory import LlamaFactory
from ieat_data.dataset.export.run import export
from ieat_data.dataset.verify import samples
from ieat_data.errors import UserError
from tests.dataset.export.dialogues import clip, reply, sample, user
from tests.dataset.export.test_targets import write
from tests.trainers.exports import agrees

pytestmark = pytest.mark.trainers
Tiny = Callable[[str], str]

OPTIONS: list[dict[str, Any]] = [
    {"injected": "train", "turns": "each", "history_think": "keep", "audio_root": "."},
    {"injected": "drop", "turns": "last", "max_audio_s": None},
    {"injected": "train", "turns": "all", "history_think": "keep", "max_audio_s": 300.0},
    {"think": "none", "descriptor": "qwen2.5"},
]
ON_CPU = {"bf16": False, "use_cpu": True, "finetuning_type": "full", "report_to": "none", "overwrite_cache": True}


@pytest.fixture(scope="module")
def exported(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with the default turns: one row for each trained turn."""
    out = tmp_path_factory.mktemp("exported") / "e"
    export(few, "llamafactory", out, ["injected=train"])
    return out


def readme(out: Path, model: str, **more: Any) -> dict[str, Any]:
    """Return the settings that the README of an export gives, for a tiny model."""
    found = re.search(r"```yaml\n(.*?)```", (out / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    given: dict[str, Any] = yaml.safe_load(found.group(1))
    return {**given, "model_name_or_path": model, "output_dir": str(out.parent / "trained"), **ON_CPU, **more}


def templates(out: Path) -> list[str]:
    """Return the templates that the README names: of Qwen2-Audio, Qwen2.5-Omni and Qwen3-Omni."""
    (line,) = re.findall(r"^template: .*$", (out / "README.md").read_text("utf-8"), re.MULTILINE)
    return re.findall(r"\bqwen\w+", line)


def loaded(given: dict[str, Any]) -> tuple[Any, Any]:
    """Return the rows that LLaMA-Factory makes of its settings, and the tokenizer."""
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    model, data, training, _, _ = get_train_args(given)
    modules = load_tokenizer(model)
    template = get_template_and_fix_tokenizer(modules["tokenizer"], data)
    return get_dataset(template, model, data, training, stage="sft", **modules)["train_dataset"], modules["tokenizer"]


def trained_texts(data: Path) -> Iterator[str]:
    """Yield what each trained turn of the samples is to teach."""
    for found in samples(data):
        for m in found["messages"]:
            if m["train"]:
                yield f"<think>\n{m['think']}\n</think>\n\n{m['content']}" if m["think"] else m["content"]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_carries_a_loss_is_what_the_sample_says(
    few: Path, tmp_path: Path, tiny: Tiny, options: dict[str, Any]
) -> None:
    agrees(few, "llamafactory", tmp_path / "e", options, model=tiny("qwen2_audio"), template="qwen2_audio")


@pytest.mark.parametrize(("n", "kind"), list(enumerate(["qwen2_audio", "qwen2_5_omni", "qwen3_omni"])), ids=str)
def test_each_template_of_the_readme_keeps_to_the_sample(
    few: Path, exported: Path, tiny: Tiny, n: int, kind: str
) -> None:
    told = list(check(few, exported, [f"model={tiny(kind)}", f"template={templates(exported)[n]}"]))
    assert len(told) == 4 and all(line.endswith("rows agree") for line in told)


def test_a_template_that_writes_empty_thoughts_is_told(few: Path, exported: Path, tiny: Tiny) -> None:
    with pytest.raises(UserError, match=r"what carries a loss differs: '<think>\\n\\n</think>"):
        list(check(few, exported, [f"model={tiny('qwen3_omni')}", "template=qwen3_omni"]))


def test_a_template_that_takes_earlier_thoughts_away_is_told(few: Path, tmp_path: Path, tiny: Tiny) -> None:
    export(few, "llamafactory", tmp_path / "e", ["injected=train", "history_think=keep"], ["stage1_2_empathy"])
    with pytest.raises(UserError, match=r"a whole reply differs: .*, not '<think>"):
        list(check(few, tmp_path / "e", [f"model={tiny('qwen3_omni')}", "template=qwen3_omni"]))


def test_words_in_the_system_prompt_are_told(few: Path, tmp_path: Path, tiny: Tiny) -> None:
    export(few, "llamafactory", tmp_path / "e", ["injected=train"], ["stage1_1"])
    path = tmp_path / "e" / "dataset_info.json"
    path.write_text(path.read_text("utf-8").replace("sharegpt", "openai"), "utf-8")
    with pytest.raises(UserError, match=r"begins a row with .*detailed thinking off"):
        list(check(few, tmp_path / "e", [f"model={tiny('qwen2_audio')}"]))


def test_without_its_guards_the_check_would_fail(
    few: Path, tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_turns = ["injected=train", "turns=all", "history_think=keep"]
    with monkeypatch.context() as patch:
        patch.setattr(LlamaFactory, "row_fault", lambda *_: None)  # history would be trained
        export(few, "llamafactory", tmp_path / "all", all_turns, ["stage1_2_trajectory"])
        with pytest.raises(UserError, match="what carries a loss differs"):
            list(check(few, tmp_path / "all", [f"model={tiny('qwen2_audio')}"]))
    with monkeypatch.context() as patch:
        patch.setattr(LlamaFactory, "cutoff", 160)  # it would cut through clips and answers
        export(few, "llamafactory", tmp_path / "cut", ["injected=train"], ["stage1_2_trajectory"])
    with pytest.raises(UserError, match=r"what carries a loss differs|begins a row with ''"):
        list(check(few, tmp_path / "cut", [f"model={tiny('qwen2_audio')}"]))


def test_the_readmes_cutoff_cuts_no_row(tmp_path: Path, tiny: Tiny) -> None:
    turns = [m for i in range(13) for m in (user(i), reply(i, i == 12))]
    long = sample(*turns, seconds=0.1)
    long["audios"] = [{"bytes": clip(28.0, 200 + 10 * i), "path": f"{i}.flac"} for i in range(13)]
    write("llamafactory", tmp_path, long, injected="train")
    (row,), tokenizer = loaded(readme(tmp_path, tiny("qwen2_audio"), dataset="ieat_stage1_2_empathy"))
    ids, labels = row["input_ids"], row["labels"]
    assert ids.count(tokenizer.convert_tokens_to_ids("<|AUDIO|>")) == 13 * 28 * 25
    assert Seen(merged(list(zip(ids, labels, strict=True)), tokenizer.decode), ()).trained == ["Answer 12."]


def test_a_step_of_training_by_the_readme(
    few: Path, tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llamafactory.train.sft.trainer import CustomSeq2SeqTrainer
    from llamafactory.train.tuner import run_exp
    from transformers import AutoTokenizer

    given: list[dict[str, Any]] = []
    losses: list[float] = []
    real = CustomSeq2SeqTrainer.compute_loss

    def noted(self: Any, model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
        given.append({k: v.clone() for k, v in inputs.items()})
        found = real(self, model, inputs, *more, **named)
        losses.append(float(found[0] if isinstance(found, tuple) else found))
        return found

    monkeypatch.setattr(CustomSeq2SeqTrainer, "compute_loss", noted)
    export(few, "llamafactory", tmp_path / "e", ["injected=train"], ["stage1_2_trajectory", "stage1_2_reasoning"])
    step = {"max_steps": 1, "per_device_train_batch_size": 2, "save_strategy": "no", "logging_steps": 1}
    run_exp(readme(tmp_path / "e", tiny("qwen2_audio"), freeze_multi_modal_projector=False, **step))

    (batch,), (loss,) = given, losses
    tokenizer = AutoTokenizer.from_pretrained(tiny("qwen2_audio"))
    wanted = set(trained_texts(few))
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        (text,) = Seen(merged(list(zip(ids, labels, strict=True)), tokenizer.decode), ()).trained
        assert text in wanted
    clips = int((batch["input_ids"] == tokenizer.convert_tokens_to_ids("<|audio_bos|>")).sum())
    assert len(batch["input_ids"]) == 2 and len(batch["input_features"]) == clips >= 2
    assert abs(loss - math.log(151_936)) < 0.3
    logged = [json.loads(line) for line in (tmp_path / "trained" / "trainer_log.jsonl").read_text().splitlines()]
    assert logged[0]["current_steps"] == 1
