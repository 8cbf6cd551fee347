"""TRL: the collator beside the rows, with the model's own processor, over rows that `datasets` loads."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

from ieat_data.dataset.export.checking.base import Check, Seen, merged, placed_in
from ieat_data.errors import UserError


class TrlCheck(Check):
    """Token ids and labels as the collator makes them; the features of each clip are counted."""

    def rows(self, file: str) -> Iterator[Seen]:
        try:
            from datasets import load_dataset
            from transformers import AutoProcessor
        except ImportError as e:
            raise UserError(f"{self.out}: TRL's packages cannot be imported ({e}): pip install trl") from e
        processor = AutoProcessor.from_pretrained(self.settings.model)
        collator = _module(self.out / "collator.py").Collator(processor)
        for row in load_dataset("json", data_files=str(self.out / file), split="train"):
            ids, labels, features = collator.encode(row)
            clips = placed_in(ids, processor.tokenizer)
            runs = merged(list(zip(ids, labels, strict=True)), processor.tokenizer.decode)
            yield Seen(runs, clips if len(features) == len(clips) else [])


def _module(path: Any) -> Any:
    spec = importlib.util.spec_from_file_location("exported_collator", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
