"""Rows of an IEAT export → a batch with labels: token ids, labels (-100 where there is no loss), the clips' features.

This file stands alone; `ieat export --to trl` puts a copy beside the rows. It is for models whose processor has an
audio token (Qwen2-Audio, Qwen2.5-Omni, Qwen3-Omni) and ChatML turns.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MASKED = -100
_URI = re.compile(r"data:[\w/.+-]+;base64,")
_ROLES = ("system", "user", "assistant")
CHATML = {role: (f"<|im_start|>{role}\n", "<|im_end|>\n") for role in _ROLES}  # what stands before and after a turn


class TooLong(ValueError):
    """A row of more than `max_tokens` tokens."""


class Collator:
    """Make a batch of rows (`{messages: [...]}`, as the export's lines have them).

    Args:
        processor: the model's own, of transformers: tokenizer, feature extractor and audio token. Or a tokenizer
            alone: then clips stay samples (16 kHz), and `audio_token` stands for each.
        system: a system turn before each row; "" for none.
        max_tokens: a longer row is a ValueError: nothing is cut.
        turns: the texts before and after a turn, by role.
        end: the text that ends a turn, the beginning of what comes after it: an assistant's carries its loss.
        audio_token: only with a tokenizer alone.
    """

    def __init__(
        self,
        processor: Any,
        system: str = "You are a helpful assistant.",
        max_tokens: int = 8192,
        turns: Mapping[str, tuple[str, str]] = CHATML,
        end: str = "<|im_end|>",
        audio_token: str | None = None,
    ) -> None:
        self.processor, self.system, self.max_tokens = processor, system, max_tokens
        self.turns, self.end, self.audio_token = turns, end, audio_token
        self.tokenizer = getattr(processor, "tokenizer", processor)
        self.extractor = getattr(processor, "feature_extractor", None)
        if self.extractor is None and audio_token is None:
            raise ValueError("a tokenizer alone trains on text without sound: give the processor, or an audio_token")
        self.rate = 16_000 if self.extractor is None else int(self.extractor.sampling_rate)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return `input_ids`, `attention_mask` and `labels` of shape (rows, tokens), and the features of all clips."""
        return self.batch([self.encode(row) for row in rows])

    def batch(self, made: Sequence[tuple[list[int], list[int], list[Any]]]) -> dict[str, Any]:
        """Return the batch of what `encode` returned of some rows; `clips` are the samples, of a tokenizer alone."""
        import torch

        width = max(len(ids) for ids, _, _ in made)
        pad = self.tokenizer.pad_token_id
        batch: dict[str, Any] = {
            "input_ids": torch.tensor([ids + [pad] * (width - len(ids)) for ids, _, _ in made]),
            "attention_mask": torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _, _ in made]),
            "labels": torch.tensor([labels + [MASKED] * (width - len(labels)) for _, labels, _ in made]),
        }
        features = [f for _, _, found in made for f in found]
        if self.extractor is None:
            return {**batch, "clips": features}
        for key in features[0] if features else ():
            batch[key] = torch.cat([f[key] for f in features])
        return batch

    def encode(self, row: Mapping[str, Any]) -> tuple[list[int], list[int], list[Any]]:
        """Return token ids, labels, and the features of each clip, in order.

        Raises:
            TooLong: the row is longer than `max_tokens`.
        """
        ids: list[int] = []
        labels: list[int] = []
        features: list[Any] = []

        def put(found: Sequence[int], loss: bool) -> None:
            ids.extend(found)
            labels.extend(found if loss else [MASKED] * len(found))

        if self.system:
            put(self._tokens(self.system.join(self.turns["system"])), False)
        for message in row["messages"]:
            before, after = self.turns[message["role"]]
            put(self._tokens(before), False)
            if message["role"] == "user":
                if (clip := message.get("clip")) is not None:
                    placed, feature = self._clip(clip)
                    put(placed, False)
                    features.append(feature)
                put(self._tokens(f"{message['text']}{after}"), False)
                continue
            loss = False
            for text, loss in runs(message):
                put(self._tokens(text), loss)
            put(self._tokens(self.end), loss)
            put(self._tokens(after.removeprefix(self.end)), False)
        if len(ids) > self.max_tokens:
            raise TooLong(f"row {row.get('id')}: {len(ids)} tokens, more than max_tokens={self.max_tokens}")
        return ids, labels, features

    def _tokens(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return found

    def _clip(self, clip: Any) -> tuple[list[int], Any]:
        """Return the tokens that stand for a clip, as many as its encoder makes, and its features."""
        if self.extractor is None:
            return self._tokens(str(self.audio_token)), samples(clip, self.rate)
        p = self.processor
        token = getattr(p, "audio_token", "<|AUDIO|>")
        bos, eos = (getattr(p, f"audio_{end}_token", f"<|audio_{end}|>") for end in ("bos", "eos"))
        made = p(
            text=[f"{bos}{token}{eos}"], audio=[samples(clip, self.rate)], sampling_rate=self.rate, return_tensors="pt"
        )
        given = ("input_ids", "attention_mask")
        return made["input_ids"][0].tolist(), {k: v for k, v in made.items() if k not in given}


def runs(message: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Return an assistant's message in runs of one loss: (text, whether it carries a loss)."""
    found: list[tuple[str, bool]] = []
    for part in (*(message.get("thought") or ()), *message["answer"]):
        if found and found[-1][1] == part["loss"]:
            found[-1] = (found[-1][0] + part["text"], part["loss"])
        else:
            found.append((part["text"], part["loss"]))
    return found


def samples(clip: str | bytes, rate: int) -> Any:
    """Return a clip (a path, a data URI, or bytes) as mono float32 of shape (samples,), at `rate` Hz."""
    import soundfile

    if isinstance(clip, str):
        uri = _URI.match(clip)
        clip = base64.b64decode(clip[uri.end() :]) if uri else Path(clip).read_bytes()
    data, found = soundfile.read(io.BytesIO(clip), dtype="float32", always_2d=True)
    data = data.mean(axis=1)
    if found != rate:
        import soxr

        data = soxr.resample(data, found, rate)
    return data
