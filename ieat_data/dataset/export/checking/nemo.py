"""NeMo: its conversation adapter and the prompt formatter that the export was made for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ieat_data.dataset.export.checking.base import Check, Seen, merged
from ieat_data.dataset.export.nemo import LOCATOR
from ieat_data.errors import UserError

_MODES = re.compile(r"\s*/(no_)?think\b")


class NemoCheck(Check):
    """The formatter's loss mask."""

    def rows(self, file: str) -> Iterator[Seen]:
        try:
            from nemo.collections.common.data.lhotse.text_adapters import NeMoMultimodalConversationJsonlAdapter
            from nemo.collections.common.prompts import PromptFormatter
            from nemo.collections.common.tokenizers import AutoTokenizer
        except ImportError as e:
            raise UserError(f"{self.out}: NeMo cannot be imported ({e}): pip install nemo-toolkit[common]") from e
        tokenizer = AutoTokenizer(self.settings.model, use_fast=True)
        tokenizer.add_special_tokens({"additional_special_tokens": [LOCATOR]})
        formatter = PromptFormatter.resolve(self.about["settings"]["formatter"])(tokenizer)
        read = NeMoMultimodalConversationJsonlAdapter(
            str(self.out / file), audio_locator_tag=LOCATOR, token_equivalent_duration=0.08
        )
        for found in read:
            users = [t for t in found.turns if t.role == "user"]
            clips = [i for i, t in enumerate(users) if hasattr(t, "cut") and t.cut.load_audio().size]
            made = found.apply_prompt_format(formatter)
            ids, mask = made.input_ids.tolist(), made.mask.tolist()
            pairs = [(i, i if m else -100) for i, m in zip(ids, mask, strict=True)]
            runs = merged(pairs, tokenizer.tokenizer.decode)
            yield Seen([(text if loss else _MODES.sub("", text), loss) for text, loss in runs], clips)
