"""ms-swift trains what the sample says: read through its own template of Qwen2.5-Omni, and by a step of `swift sft`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ieat_data.data.audio import decode, encode_flac
from ieat_data.dataset.export.run import export
from ieat_data.dataset.verify import samples
from tests.support.tiny.qwen3 import VOCABULARY
from tests.trainers import exports
from tests.trainers.exports import END, agrees, as_long, doctored, heard, not_to_train, to_train

pytestmark = pytest.mark.trainers

OPTIONS: list[dict[str, Any]] = [
    {"turns": "last", "history_think": "strip"},
    {"turns": "each", "history_think": "strip", "injected": "train"},
    {"turns": "each", "history_think": "keep", "injected": "drop", "audio": "embed"},
    {"think": "none", "max_audio_s": None},
    {"descriptor": "qwen2.5", "injected": "train", "max_audio_s": 300.0},
]
DIALOGUES = ["stage1_2_empathy", "stage1_2_trajectory"]
Read = Callable[..., list[tuple[list[int], list[int]]]]


@pytest.fixture(scope="module")
def model(tiny: Callable[[str], str]) -> dict[str, str]:
    return {"model": tiny("qwen2_5_omni"), "model_type": "qwen2_5_omni"}


@pytest.fixture(scope="module")
def processor(model: dict[str, str]) -> Any:
    from swift import get_processor

    return get_processor(model["model"], model_type=model["model_type"])


@pytest.fixture
def read(processor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Token ids and labels of the rows of a file, as ms-swift's template makes them with some of its arguments."""
    from swift import get_template, load_dataset

    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))

    def rows(file: Path, **arguments: Any) -> list[tuple[list[int], list[int]]]:
        template = get_template(processor, **arguments)
        template.set_mode("train")
        found = [template.encode(row) for row in load_dataset(str(file), num_proc=1, strict=True)[0]]
        return [(row["input_ids"], row["labels"]) for row in found]

    return rows


def of(data: Path, config: str) -> Iterator[dict[str, Any]]:
    return (s for s in samples(data) if config in (s["training_stage"], f"{s['training_stage']}_{s['task']}"))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_check_agrees_with_every_option(
    few: Path, tmp_path: Path, model: dict[str, str], options: dict[str, Any]
) -> None:
    agrees(few, "ms-swift", tmp_path / "e", options, **model)


def test_the_check_agrees_with_the_whole_sample(sample: Path, tmp_path: Path, model: dict[str, str]) -> None:
    about = agrees(sample, "ms-swift", tmp_path / "e", {}, **model)
    assert about["trained_share_of_characters"]["injected"] == 0


def test_labels_and_clips_are_those_of_the_samples(few: Path, tmp_path: Path, processor: Any, read: Read) -> None:
    text = processor.tokenizer.decode
    about = export(few, "ms-swift", tmp_path / "e")
    for config in about["rows"]:
        rows = read(tmp_path / "e" / f"{config}.jsonl")
        for (ids, labels), sample in zip(rows, of(few, config), strict=True):
            assert exports.trained(ids, labels, text) == to_train(sample)
            masked = exports.untrained(ids, labels, text)
            assert all(part in masked for part in not_to_train(sample))
            assert as_long(heard(ids, processor.tokenizer.decode), sample)


def test_a_tag_in_an_answer_takes_no_clip(few: Path, tmp_path: Path, model: dict[str, str]) -> None:
    """ms-swift would put the first clip where the tag is, and shift all later ones, without a word."""

    def tagged(sample: dict[str, Any]) -> None:
        sample["messages"][1]["content"] += " <audio>"

    data = doctored(few, tmp_path, "stage1_2_empathy", tagged)
    about = export(data, "ms-swift", tmp_path / "e")
    assert about["left_out"] == {"target_tag": 1} and not list((tmp_path / "e").glob("*.jsonl"))


def test_a_clip_that_the_encoder_would_cut_is_left_out(few: Path, tmp_path: Path, processor: Any, read: Read) -> None:
    """The tiny model hears 30 s of a clip, as Qwen2-Audio does; the rest would be missing without a word."""

    def long(sample: dict[str, Any]) -> None:
        sound = decode(sample["audios"][0]["bytes"])[0]
        sample["audios"][0]["bytes"] = encode_flac(sound.repeat(math.ceil(31 * 16_000 / len(sound))), 16_000)

    data = doctored(few, tmp_path, "stage1_2_empathy", long)
    assert export(data, "ms-swift", tmp_path / "e")["left_out"] == {"audio_too_long": 1}
    export(data, "ms-swift", tmp_path / "longer", ["max_audio_s=300"])
    ((ids, _),) = read(tmp_path / "longer" / "stage1_2_empathy.jsonl")
    (row,) = samples(data)
    assert not as_long(heard(ids, processor.tokenizer.decode), row), "it is cut, and that is why it is left out"


def test_thoughts_of_the_history_are_gone_where_that_was_asked(
    few: Path, tmp_path: Path, processor: Any, read: Read
) -> None:
    """ms-swift's own stripping leaves the injected body and all behind it, when a turn has several messages."""
    export(few, "ms-swift", tmp_path / "e", ["turns=last", "history_think=strip"], DIALOGUES)
    for (ids, _), row in zip(read(tmp_path / "e/stage1_2_empathy.jsonl"), of(few, "stage1_2_empathy"), strict=True):
        whole = processor.tokenizer.decode(ids)
        *history, last = (m["think"] for m in row["messages"] if m["role"] == "assistant")
        assert last in whole and not any(think in whole for think in history) and whole.count("<think>") == 1


def test_no_setting_of_ms_swift_s_makes_a_turn_of_the_history_carry_a_loss(
    few: Path, tmp_path: Path, processor: Any, read: Read
) -> None:
    """Without a loss of its own, each turn would follow `loss_scale`, whose default trains every turn."""
    export(few, "ms-swift", tmp_path / "e", configs=["stage1_2_trajectory"])
    for scale in ("default", "last_round"):
        rows = read(tmp_path / "e/stage1_2_trajectory.jsonl", loss_scale=scale)
        for (ids, labels), row in zip(rows, of(few, "stage1_2_trajectory"), strict=True):
            assert exports.trained(ids, labels, processor.tokenizer.decode) == to_train(row)


def test_the_command_beside_the_data_trains_it(
    few: Path, tmp_path: Path, processor: Any, model: dict[str, str], read: Read
) -> None:
    """Its arguments as they are, and those that a CPU needs; labels from the batch that the step was made with."""
    from swift.pipelines import SwiftSft

    export(few, "ms-swift", tmp_path / "e", configs=DIALOGUES)
    batches: list[Any] = []

    class Watched(SwiftSft):
        def train(self, trainer: Any) -> Any:
            real = trainer.compute_loss

            def compute_loss(module: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
                batches.append({k: inputs[k].clone() for k in ("input_ids", "labels")})
                batches[-1]["clips"] = len(inputs["input_features"])
                return real(module, inputs, *args, **kwargs)

            trainer.compute_loss = compute_loss
            return super().train(trainer)

    words = exports.command(tmp_path / "e", "swift sft")
    assert words[words.index("--loss_scale") + 1] == "default"
    words[words.index("--model") + 1] = model["model"]
    on_cpu = {
        "model_type": model["model_type"],
        "tuner_type": "full",
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "torch_dtype": "float32",
        "use_cpu": "true",
        "bf16": "false",
        "attn_impl": "eager",
        "gradient_checkpointing": "false",
        "output_dir": tmp_path / "out",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "dataset_num_proc": 1,
        "dataloader_num_workers": 0,
    }
    told = Watched([*words[2:], *(str(w) for k, v in on_cpu.items() for w in (f"--{k}", v))]).main()
    assert told["global_step"] == 1
    assert told["log_history"][0]["loss"] == pytest.approx(math.log(VOCABULARY), abs=0.3)
    (batch,) = batches
    wanted = {to_train(s): s for s in samples(few)}
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        text = exports.trained(ids, labels, processor.tokenizer.decode)
        assert as_long(heard(ids, processor.tokenizer.decode), wanted[text]) and text.endswith(END)
    turns = [n for ids in batch["input_ids"].tolist() for n in heard(ids, processor.tokenizer.decode)]
    assert batch["clips"] == sum(n > 0 for n in turns) > 0


def test_a_row_that_is_too_long_is_left_out_and_never_cut(few: Path, tmp_path: Path, read: Read) -> None:
    """`left` and `right` keep the clips and cut what is to be learned: a row without a single label."""
    from swift.template import MaxLengthError

    export(few, "ms-swift", tmp_path / "e", configs=["stage1_2_empathy"])
    words = exports.command(tmp_path / "e", "swift sft")
    how = {"delete": "raise"}.get(word := words[words.index("--truncation_strategy") + 1], word)
    with pytest.raises(MaxLengthError):
        read(tmp_path / "e/stage1_2_empathy.jsonl", max_length=64, truncation_strategy=how)
