"""LLaMA-Factory: its dataset converter and the model's template."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from ieat_data.dataset.export.checking.base import Check, CheckSettings, Seen, merged, placed_in
from ieat_data.errors import UserError


class LlamaFactorySettings(CheckSettings):
    """The settings of the check of `llamafactory`."""

    template: str = Field("qwen2_audio", description="its name of the model's template")


class LlamaFactoryCheck(Check):
    """Labels as supervised fine-tuning makes them, with the `mask_history` that the export asks for."""

    Settings = LlamaFactorySettings
    _loaded: Any = None

    def rows(self, file: str) -> Iterator[Seen]:
        os.environ.setdefault("DISABLE_VERSION_CHECK", "1")
        try:
            from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
            from llamafactory.hparams import get_train_args
            from llamafactory.model import load_tokenizer
        except ImportError as e:
            raise UserError(f"{self.out}: LLaMA-Factory cannot be imported ({e}): pip install llamafactory") from e
        given = {
            "stage": "sft",
            "do_train": True,
            "model_name_or_path": self.settings.model,
            "dataset": f"ieat_{file.removesuffix('.jsonl')}",
            "dataset_dir": str(self.out),
            "template": self.settings.template,
            "mask_history": self.about["settings"]["turns"] != "all",
            "output_dir": tempfile.mkdtemp(prefix="ieat-llamafactory-"),
            "overwrite_cache": True,
            "cutoff_len": self.about["cutoff_len"],
            "bf16": False,
            "use_cpu": True,
            "finetuning_type": "full",
            "report_to": "none",
        }
        model, data, training, _, _ = get_train_args(given)
        if self._loaded is None:
            modules = load_tokenizer(model)
            self._loaded = modules, get_template_and_fix_tokenizer(modules["tokenizer"], data)
        modules, template = self._loaded
        tokenizer = modules["tokenizer"]
        system = template.default_system
        opened = "".join(template.format_system.apply(content=system)) if system else ""
        for row in get_dataset(template, model, data, training, stage="sft", **modules)["train_dataset"]:
            before = tokenizer.decode(row["input_ids"]).partition("<|im_start|>user")[0]
            if before != opened:
                raise UserError(f"{self.out / file}: LLaMA-Factory begins a row with {before!r}, not {opened!r}")
            pairs = list(zip(row["input_ids"], row["labels"], strict=True))
            yield Seen(merged(pairs, tokenizer.decode), placed_in(row["input_ids"], tokenizer))
