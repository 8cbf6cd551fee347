"""The metadata of a GGUF file, read without its weights, and the tokenizer in it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

from ieat_data.errors import UserError

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
# kinds of tokens in `tokenizer.ggml.token_type`
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# `tokenizer.ggml.pre` -> the expression that splits text into words before the merges
_WORDS = {"qwen2": _QWEN2_WORDS, "deepseek-r1-qwen": _QWEN2_WORDS}


class _Cursor:
    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def scalar(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self) -> str:
        n = self.scalar("<Q")
        if n > len(self.data) - self.at:
            raise ValueError(f"a string of {n} bytes extends past the end of the file")
        self.at += n
        return self.data[self.at - n : self.at].decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner, n = self.scalar("<I"), self.scalar("<Q")
            if n > len(self.data) - self.at:
                raise ValueError(f"an array of {n} values extends past the end of the file")
            return [self.value(inner) for _ in range(n)]
        if kind not in _SCALARS:
            raise ValueError(f"unknown value type {kind}")
        return self.scalar(_SCALARS[kind])


def read_metadata(path: Path) -> dict[str, Any]:
    """Return all key-value pairs of the file's header.

    Raises:
        UserError: it is not a GGUF file, or is truncated.
    """
    try:
        with path.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
            cursor = _Cursor(data)
            if data[:4] != b"GGUF":
                raise ValueError("it does not begin with GGUF")
            cursor.at = 4
            if (version := cursor.scalar("<I")) not in (2, 3):
                raise ValueError(f"version {version} is not known")
            _tensors, pairs = cursor.scalar("<Q"), cursor.scalar("<Q")
            metadata = {}
            for _ in range(pairs):
                key = cursor.string()
                metadata[key] = cursor.value(cursor.scalar("<I"))
            return metadata
    except OSError as e:
        raise UserError(f"{path}: cannot be read: {e.strerror}") from None
    except (ValueError, struct.error) as e:
        raise UserError(f"{path}: not a readable GGUF file: {e}; download it again") from None


def tokenizer_spec(path: Path) -> dict[str, Any]:
    """Return the tokenizer of a GGUF file in the layout of a `tokenizer.json` (byte-level BPE).

    It normalizes text to NFC first, as the models' own tokenizers do and llama.cpp does not.

    Raises:
        UserError: the file holds another kind of tokenizer.
    """
    metadata = read_metadata(path)
    kind, words = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
    if kind != "gpt2" or words not in _WORDS:
        raise UserError(
            f"{path}: its tokenizer ({kind!r}, {words!r}) is not supported; supported is byte-level BPE with "
            f"{' or '.join(map(repr, _WORDS))}, that is Qwen2, Qwen2.5 and Qwen3"
        )
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": _WORDS[words]}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added(i, token, special=types[i] == _CONTROL)
            for i, token in enumerate(tokens)
            if types[i] in (_CONTROL, _USER_DEFINED)
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens) if types[i] == _NORMAL},
            "merges": [merge.split(" ") for merge in metadata["tokenizer.ggml.merges"]],
        },
    }


def _added(i: int, token: str, special: bool) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": i, "content": token, **flags, "special": special}
