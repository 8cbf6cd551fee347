"""ms-swift: its `load_dataset` and the model's template."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from ieat_data.dataset.export.checking.base import Check, CheckSettings, Seen, merged, placed_in
from ieat_data.errors import UserError


class MsSwiftSettings(CheckSettings):
    """The settings of the check of `ms-swift`."""

    model_type: str | None = Field(None, description="ms-swift's name of the model, such as qwen2_5_omni")


class MsSwiftCheck(Check):
    """Labels as the template's training mode makes them."""

    Settings = MsSwiftSettings
    _loaded: Any = None

    def rows(self, file: str) -> Iterator[Seen]:
        # ms-swift keeps what it has preprocessed under the file's name, whatever the file holds now
        os.environ["MODELSCOPE_CACHE"] = tempfile.mkdtemp(prefix="ieat-swift-")
        try:
            from swift import get_processor, get_template, load_dataset
        except ImportError as e:
            raise UserError(f"{self.out}: ms-swift cannot be imported ({e}): pip install ms-swift") from e
        if self._loaded is None:
            processor = get_processor(self.settings.model, model_type=self.settings.model_type)
            self._loaded = get_template(processor)
            self._loaded.set_mode("train")
        template = self._loaded
        tokenizer = template.tokenizer
        for row in load_dataset(str(self.out / file), num_proc=1, strict=True)[0]:
            made = template.encode(row)
            pairs = list(zip(made["input_ids"], made["labels"], strict=True))
            yield Seen(merged(pairs, tokenizer.decode), placed_in(made["input_ids"], tokenizer))
