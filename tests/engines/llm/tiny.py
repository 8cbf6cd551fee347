"""A tiny byte-level BPE tokenizer with Qwen3's kinds of added tokens, as a `tokenizer.json` and as a GGUF header."""

from __future__ import annotations

import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

from ieat_data.engines.llm.descriptor import Descriptor, load_descriptor
from ieat_data.engines.llm.gguf import _QWEN2_WORDS

TEXTS = [
    "The user sounds sad because they lost their job. <think> </think> <|im_start|>assistant user system <|im_end|>",
    "用户听起来很难过，因为他今天被公司裁员了。",
    "don't you see, they've won! 1234 🙂",
] * 3
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
NOT_SPECIAL = ("<think>", "</think>")


@cache
def _trained() -> str:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(_QWEN2_WORDS), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=sorted(alphabet), show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.add_tokens(list(NOT_SPECIAL))
    return tokenizer.to_str()


def spec() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(_trained())
    return loaded


def ids() -> dict[str, int]:
    return {t["content"]: t["id"] for t in spec()["added_tokens"]}


def descriptor(**changes: Any) -> Descriptor:
    """Qwen3's, with the ids of the tiny tokenizer."""
    known = ids()
    fitted = {
        "min_control_id": min(known.values()),
        "end_of_turn_id": known["<|im_end|>"],
        "think_close_id": known["</think>"],
    }
    return load_descriptor("qwen3").model_copy(update=fitted | changes)


def write_gguf(path: Path, pre: str = "qwen2", kind: str = "gpt2", version: int = 3) -> Path:
    """The header of a GGUF file that holds the tiny tokenizer, with a few other values around it."""
    model, added = spec()["model"], spec()["added_tokens"]
    vocab = sorted([(i, token) for token, i in model["vocab"].items() if token not in ids()])
    tokens = [token for _, token in vocab] + [t["content"] for t in added] + ["[PAD]"]
    types = [1] * len(vocab) + [3 if t["special"] else 4 for t in added] + [5]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]

    def text(value: str) -> bytes:
        data = value.encode()
        return struct.pack("<Q", len(data)) + data

    def array(inner: int, values: list[bytes]) -> bytes:
        return struct.pack("<IQ", inner, len(values)) + b"".join(values)

    pairs = {
        "general.architecture": (8, text("qwen2")),
        "qwen2.block_count": (4, struct.pack("<I", 28)),
        "qwen2.rope.freq_base": (6, struct.pack("<f", 1e6)),
        "tokenizer.ggml.add_bos_token": (7, b"\x00"),
        "tokenizer.ggml.model": (8, text(kind)),
        "tokenizer.ggml.pre": (8, text(pre)),
        "tokenizer.ggml.tokens": (9, array(8, [text(t) for t in tokens])),
        "tokenizer.ggml.token_type": (9, array(5, [struct.pack("<i", t) for t in types])),
        "tokenizer.ggml.merges": (9, array(8, [text(m) for m in merges])),
    }
    body = b"".join(text(k) + struct.pack("<I", form) + value for k, (form, value) in pairs.items())
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, 0, len(pairs)) + body)
    return path
