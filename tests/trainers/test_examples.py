"""`examples/train`: each key and flag is one that the installed trainer knows. Each test is for one environment."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.train_examples import EXAMPLES, commands, configs

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
