"""A tokenizer and a processor of the form of transformers', in which every id says what it stands for."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np

SPECIAL = ("<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
FIRST = 1_000_000


class Tokenizer:
    """One id for each special token, one for each other character."""

    pad_token_id = 0

    def __init__(self, special: tuple[str, ...] = SPECIAL) -> None:
        self.special = special

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        parts = re.split("(" + "|".join(map(re.escape, self.special)) + ")", text)
        known = {t: FIRST + i for i, t in enumerate(self.special)}
        return [i for p in parts for i in ([known[p]] if p in known else map(ord, p))]

    def text(self, ids: list[int]) -> str:
        return "".join(self.special[i - FIRST] if i >= FIRST else chr(i) for i in ids)


class Processor:
    """Three audio tokens a clip, whatever its length; the feature is the clip's mean."""

    def __init__(self) -> None:
        self.tokenizer = Tokenizer()
        self.feature_extractor = SimpleNamespace(sampling_rate=8_000)

    def __call__(self, text: list[str], audio: list[Any], sampling_rate: int, return_tensors: str) -> Any:
        assert sampling_rate == 8_000 and audio[0].dtype == np.float32
        ids = self.tokenizer.encode(text[0].replace("<|AUDIO|>", "<|AUDIO|>" * 3), False)
        return {"input_ids": np.array([ids]), "attention_mask": None, "input_features": np.array([[len(audio[0])]])}
