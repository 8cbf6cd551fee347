"""NeMo: its conversation adapter and the prompt formatter that the export was made for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ieat_data.dataset.export.checking.base import Check, Seen, merged
from ieat_data.dataset.export.nemo import LOCATOR
from ieat_data.errors import UserError


class NemoCheck(Check):
    """The formatter's loss mask. A clip counts if it is as long as its file."""

    _tokenizer: Any = None

    def rows(self, file: str) -> Iterator[Seen]:
        try:
            from nemo.collections.common.data.lhotse.text_adapters import NeMoMultimodalConversationJsonlAdapter
            from nemo.collections.common.prompts import PromptFormatter
            from nemo.collections.common.tokenizers import AutoTokenizer
        except ImportError as e:
            raise UserError(f"{self.out}: NeMo cannot be imported ({e}): pip install nemo-toolkit[common]") from e
        if self._tokenizer is None:
            self._tokenizer = AutoTokenizer(self.settings.model, use_fast=True)
            self._tokenizer.add_special_tokens({"additional_special_tokens": [LOCATOR]})
        tokenizer = self._tokenizer
        formatter = PromptFormatter.resolve(self.about["settings"]["formatter"])(tokenizer)
        read = NeMoMultimodalConversationJsonlAdapter(
            str(self.out / file), audio_locator_tag=LOCATOR, token_equivalent_duration=0.08
        )
        for found in read:
            users = [t for t in found.turns if t.role == "user"]
            clips = [i for i, t in enumerate(users) if hasattr(t, "cut") and _whole(t.cut)]
            made = found.apply_prompt_format(formatter)
            ids, mask = made.input_ids.tolist(), made.mask.tolist()
            pairs = [(i, i if m else -100) for i, m in zip(ids, mask, strict=True)]
            yield Seen(merged(pairs, tokenizer.tokenizer.decode), clips)


def _whole(cut: Any) -> bool:
    """Tell whether a cut has all of its file's audio."""
    return bool(cut.load_audio().shape[1] == cut.recording.num_samples > 0)
