"""TRL trains what the sample says: the exported collator with real processors, and a step by the exported train.py."""

from __future__ import annotations

import importlib.util
import math
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ieat_data.data.audio import decode, encode_flac
from ieat_data.dataset.export.run import export
from ieat_data.dataset.verify import samples
from tests.support.tiny.qwen3 import VOCABULARY
from tests.trainers import exports
from tests.trainers.exports import agrees, as_long, doctored, heard, not_to_train, to_train

pytestmark = pytest.mark.trainers

MODELS = ["qwen2_audio", "qwen2_5_omni"]
OPTIONS: list[dict[str, Any]] = [
    {"turns": "last", "history_think": "strip", "transcripts": True},
    {"turns": "each", "history_think": "strip", "injected": "train"},
    {"turns": "each", "history_think": "keep", "injected": "drop", "audio": "embed"},
    {"think": "none", "max_audio_s": None},
    {"descriptor": "qwen2.5", "injected": "train", "max_audio_s": 300.0},
]
DIALOGUES = ["stage1_2_empathy", "stage1_2_trajectory"]


@pytest.fixture(scope="module", params=MODELS)
def processor(request: pytest.FixtureRequest, tiny: Callable[[str], str]) -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(tiny(request.param))


def collator_of(out: Path, processor: Any, **arguments: Any) -> Any:
    """The collator that lies beside an export."""
    spec = importlib.util.spec_from_file_location("collator_of_export", out / "collator.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Collator(processor, **arguments)


def loaded(out: Path) -> Iterator[dict[str, Any]]:
    """The rows as `datasets` loads them, with nulls where a message lacks a key."""
    from datasets import load_dataset

    yield from load_dataset("json", data_files=[str(p) for p in sorted(out.glob("*.jsonl"))], split="train")


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_check_agrees_with_every_option(
    few: Path, tmp_path: Path, tiny: Callable[[str], str], options: dict[str, Any]
) -> None:
    agrees(few, "trl", tmp_path / "e", options, model=tiny("qwen2_audio"))


def test_the_check_agrees_with_the_whole_sample(sample: Path, tmp_path: Path, tiny: Callable[[str], str]) -> None:
    agrees(sample, "trl", tmp_path / "e", {}, model=tiny("qwen2_audio"))


def test_labels_and_clips_are_those_of_the_samples(few: Path, tmp_path: Path, processor: Any) -> None:
    export(few, "trl", tmp_path / "e")
    collator = collator_of(tmp_path / "e", processor)
    by_id, text = {s["id"]: s for s in samples(few)}, processor.tokenizer.decode
    rows = list(loaded(tmp_path / "e"))
    assert len(rows) == len(by_id)
    for row in rows:
        ids, labels, features = collator.encode(row)
        sample = by_id[row["sample"]]
        assert exports.trained(ids, labels, text) == to_train(sample)
        masked = exports.untrained(ids, labels, text)
        assert all(part in masked for part in not_to_train(sample))
        assert as_long(heard(ids, processor.tokenizer.decode), sample) and len(features) == len(sample["audios"])


def test_a_batch_has_the_features_of_all_its_clips(few: Path, tmp_path: Path, processor: Any) -> None:
    export(few, "trl", tmp_path / "e")
    rows = list(loaded(tmp_path / "e"))[-3:]
    batch = collator_of(tmp_path / "e", processor)(rows)
    clips = sum(m.get("clip") is not None for row in rows for m in row["messages"])
    assert len(batch["input_features"]) == clips > len(rows) == len(batch["labels"])
    padded = batch["attention_mask"] == 0
    assert padded.any() and (batch["labels"][padded] == -100).all()


def test_a_clip_that_the_encoder_would_cut_is_left_out(few: Path, tmp_path: Path, processor: Any) -> None:
    """Both tiny models hear 30 s of a clip, as Qwen2-Audio does; the rest would be missing without a word."""

    def long(sample: dict[str, Any]) -> None:
        sound = decode(sample["audios"][0]["bytes"])[0]
        sample["audios"][0]["bytes"] = encode_flac(sound.repeat(math.ceil(31 * 16_000 / len(sound))), 16_000)

    data = doctored(few, tmp_path, "stage1_2_empathy", long)
    assert export(data, "trl", tmp_path / "e")["left_out"] == {"audio_too_long": 1}
    export(data, "trl", tmp_path / "longer", ["max_audio_s=300"])
    (row,), (sample,) = loaded(tmp_path / "longer"), samples(data)
    ids, _, _ = collator_of(tmp_path / "longer", processor).encode(row)
    assert not as_long(heard(ids, processor.tokenizer.decode), sample), "it is cut, and that is why it is left out"


def test_a_row_that_is_too_long_is_told_and_never_cut(few: Path, tmp_path: Path, processor: Any) -> None:
    export(few, "trl", tmp_path / "e", configs=["stage1_1"])
    row = next(loaded(tmp_path / "e"))
    with pytest.raises(ValueError, match=rf"row {row['id']}: \d+ tokens, more than max_tokens=16"):
        collator_of(tmp_path / "e", processor, max_tokens=16)([row])


@pytest.mark.parametrize("model", MODELS)
def test_the_program_beside_the_data_trains_it(
    few: Path, tmp_path: Path, tiny: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """The command of the README; labels and clips from the batch that the step was made with.

    With TRL's own preprocessing and a tokenizer the step goes through on text alone, with a loss that looks fine.
    """
    from transformers import AutoTokenizer
    from trl import SFTTrainer

    export(few, "trl", tmp_path / "e", configs=DIALOGUES)
    batches, trainers = [], []
    real = SFTTrainer.compute_loss

    def compute_loss(self: Any, module: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        trainers.append(self)
        batches.append({k: inputs[k].clone() for k in ("input_ids", "labels", "input_features")})
        return real(self, module, inputs, *args, **kwargs)

    monkeypatch.setattr(SFTTrainer, "compute_loss", compute_loss)
    words = exports.command(tmp_path / "e", "python train.py")
    words[words.index("--model_name_or_path") + 1] = tiny(model)
    on_cpu = {
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
    }
    monkeypatch.setattr(sys, "argv", [*words[1:], *(str(w) for k, v in on_cpu.items() for w in (f"--{k}", v))])
    monkeypatch.syspath_prepend(tmp_path / "e")
    monkeypatch.delitem(sys.modules, "collator", raising=False)
    monkeypatch.chdir(tmp_path / "e")
    runpy.run_path("train.py", run_name="__main__")
    (batch,), (trainer,) = batches, trainers
    assert trainer.state.global_step == 1
    assert trainer.state.log_history[0]["loss"] == pytest.approx(math.log(VOCABULARY), abs=0.3)
    tokenizer = AutoTokenizer.from_pretrained(tiny(model))
    wanted = {to_train(s): s for s in samples(few)}
    clips = 0
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        turns = heard(ids, tokenizer.decode)
        clips += sum(n > 0 for n in turns)
        assert as_long(turns, wanted[exports.trained(ids, labels, tokenizer.decode)])
    assert len(batch["input_features"]) == clips > 0
