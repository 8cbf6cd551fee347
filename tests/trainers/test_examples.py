"""`examples/train`: each key and flag is one that the trainer knows, and what needs no GPU runs as written."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.train_examples import EXAMPLES, ROOT, commands, configs, run_exports, train_on_it

pytestmark = pytest.mark.trainers


def parsed(parser: ArgumentParser, config: Mapping[str, Any]) -> Any:
    """Parse a config as command-line options, so that names, types and choices are checked; nothing is loaded."""
    words = []
    for key, value in config.items():
        words += [f"--{key}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    parser.allow_abbrev = False
    found, unknown = parser.parse_known_args(words)
    assert unknown == []
    return found


def test_ms_swift() -> None:
    from swift.arguments import SftArguments
    from swift.model import MODEL_MAPPING
    from transformers import HfArgumentParser

    models = {m.hf_model_id for meta in MODEL_MAPPING.values() for group in meta.model_groups for m in group.models}
    for config in configs("ms-swift").values():
        config.pop("ENV", None)  # variables, which `swift sft FILE.yaml` sets
        assert parsed(HfArgumentParser(SftArguments), config).model in models
        assert config["deepspeed"] in {"zero2", "zero3"}  # named files of ms-swift


def test_llamafactory() -> None:
    from llamafactory.data.template import TEMPLATES
    from llamafactory.extras.constants import SUPPORTED_MODELS
    from llamafactory.hparams import (
        DataArguments,
        FinetuningArguments,
        GeneratingArguments,
        ModelArguments,
        TrainingArguments,
    )
    from transformers import HfArgumentParser

    models = {path for paths in SUPPORTED_MODELS.values() for path in paths.values()}
    kinds = (ModelArguments, DataArguments, TrainingArguments, FinetuningArguments, GeneratingArguments)
    for config in configs("llamafactory").values():
        found = parsed(HfArgumentParser(kinds), config)
        assert found.model_name_or_path in models
        assert found.template in TEMPLATES


def test_trl() -> None:
    from accelerate.commands.launch import launch_command_parser
    from trl import ModelConfig, SFTConfig, TrlParser

    for config in configs("trl").values():
        parsed(TrlParser((SFTConfig, ModelConfig)), config)
    launches = [words for words in commands(EXAMPLES / "trl" / "README.md") if words[:2] == ["accelerate", "launch"]]
    assert len(launches) == len(configs("trl"))
    for words in launches:
        found = launch_command_parser().parse_args(words[2:])
        assert found.training_script.endswith("/train.py")
        assert found.training_script_args[0] == "--config"


def test_nemo() -> None:
    from nemo.collections.common.data.lhotse.cutset import get_parser_fn
    from nemo.collections.common.data.lhotse.dataloader import LhotseDataLoadingConfig
    from nemo.collections.common.data.lhotse.text_adapters import NeMoMultimodalConversationJsonlAdapter
    from nemo.collections.common.prompts import PromptFormatter

    known = {f.name for f in dataclasses.fields(NeMoMultimodalConversationJsonlAdapter)}
    for config in configs("nemo").values():
        for source in config:
            assert get_parser_fn(source.pop("type"))
            assert set(source) <= known
    (train,) = [words for words in commands(EXAMPLES / "nemo" / "README.md") if words[0] == "torchrun"]
    given = dict(word.split("=", 1) for word in train[3:])
    assert PromptFormatter.resolve(given["model.prompt_format"])
    data = {key.rpartition(".")[2] for key in given if key.startswith("data.")}
    assert data <= {f.name for f in dataclasses.fields(LhotseDataLoadingConfig)}


def run(words: list[str], *more: str) -> str:
    """Run a README's command with this Python, in the repository, with some options more. Return what it prints."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, *words[1:], *more], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_readmes_commands_train(
    sample: Path, tmp_path: Path, tiny: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export and training, with a tiny model in the published one's place, for one step on the CPU."""
    lines = train_on_it("README.md")
    monkeypatch.chdir(tmp_path)
    run_exports(lines, sample, tmp_path)
    (train,) = [words for words in lines if words[0] == "python" and words[1].startswith("data/")]
    small = {"model_name_or_path": tiny("qwen2_audio"), "output_dir": str(tmp_path / "out"), "dtype": "float32"}
    small |= {"max_steps": "1", "gradient_accumulation_steps": "1", "use_cpu": "true", "bf16": "false"}
    small |= {"gradient_checkpointing": "false", "dataloader_num_workers": "0", "logging_steps": "1"}
    train[1] = str(tmp_path / train[1])
    printed = run(train, *(word for key, value in small.items() for word in (f"--{key}", value)))
    (loss,) = re.findall(r"'loss': '?([\d.]+)", printed)
    assert 10 < float(loss) < 13  # of random weights: ln 151,936 = 11.9
    adapter = json.loads((tmp_path / "out" / "adapter_config.json").read_text("utf-8"))
    assert set(adapter["target_modules"]) == {"q_proj", "v_proj"}


def test_tiny_learns_what_carries_a_loss_and_nothing_else(sample: Path, tmp_path: Path) -> None:
    (line,) = [w for w in train_on_it("README.md") if w[0] == "python" and w[1].startswith("examples/")]
    picture = tmp_path / "tiny.svg"
    printed = run([*line[:2], str(sample), *line[3:]], "--passes", "4", "--out", str(picture))
    rows = re.findall(r"^(mask|train) +(\w+ ?\w+) +([\d.]+) +([\d.]+) +(\d+)%$", printed, re.M)
    assert len(rows) == 6
    fell = {(run, part): float(first) - float(last) for run, part, first, last, _ in rows}
    gradients = {(run, part): int(share) for run, part, _, _, share in rows}
    assert {key: 0 if key == ("mask", "injected body") else 100 for key in gradients} == gradients
    for key in fell:
        assert fell[key] < 0.5 if key == ("mask", "injected body") else fell[key] > 0.9, fell
    assert picture.read_text("utf-8").count("<polyline") == 6
