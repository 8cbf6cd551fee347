"""A tiny Qwen3 with the real Qwen vocabulary that knows a few answers by heart.

    python -m tests.support.tiny.qwen3 LESSONS.jsonl FOLDER

Run in the environment of vLLM (torch, transformers, tokenizers; the package `dashscope` carries the vocabulary).
The model is trained on the lessons for a minute or two, so that it goes on with an injected body, closes its think
block once and answers, as the real one does. Its weights mean nothing else.
"""

from __future__ import annotations

import base64
import importlib.util
import itertools
import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

VOCABULARY = 151_936  # rows of the embedding; 151,643 ranks, the added tokens, the rest is unused
ADDED = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
]
_SPECIAL = 14  # of them; the others survive `skip_special_tokens`
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
IM_END, END_OF_TEXT = 151_645, 151_643


def ranks() -> dict[bytes, int]:
    """The byte-pair ranks of Qwen, as the dashscope package ships them."""
    spec = importlib.util.find_spec("dashscope")
    assert spec is not None and spec.origin is not None, "pip install --no-deps dashscope"
    lines = (Path(spec.origin).parent / "resources" / "qwen.tiktoken").read_bytes().splitlines()
    found = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    assert len(found) == END_OF_TEXT
    return found


def tokenizer_json(known: dict[bytes, int]) -> dict[str, Any]:
    """The vocabulary in the layout of a `tokenizer.json`: each rank's merge is what its bytes were merged from."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    letters = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}

    def spelt(token: bytes) -> str:
        return "".join(letters[b] for b in token)

    def merged_from(token: bytes, rank: int) -> tuple[bytes, bytes]:
        parts = [bytes([b]) for b in token]
        while len(parts) > 2:
            pairs = [(known.get(a + b, rank), i) for i, (a, b) in enumerate(itertools.pairwise(parts))]
            _, i = min(pairs)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        return parts[0], parts[1]

    ordered = sorted(known.items(), key=lambda item: item[1])
    merges = [[spelt(x) for x in merged_from(t, r)] for t, r in ordered if len(t) > 1]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": _WORDS}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": END_OF_TEXT + i, "content": t, **flags, "special": i < _SPECIAL} for i, t in enumerate(ADDED)
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": {spelt(t): r for t, r in ordered}, "merges": merges},
    }


def write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(ranks()), ensure_ascii=False), encoding="utf-8")
    config = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def sequences(folder: Path, lessons: Path) -> list[tuple[list[int], list[int]]]:
    """(prompt, continuation) of each lesson as token ids; the continuation closes the think block and ends the turn."""
    from ieat_data.engines.base import Segment
    from ieat_data.engines.llm.descriptor import load_descriptor
    from ieat_data.engines.llm.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(folder, load_descriptor("qwen3"))
    found = []
    for line in lessons.read_text(encoding="utf-8").split("\n"):
        if line:
            lesson = json.loads(line)
            prompt = tokenizer.encode(Segment(text, control) for text, control in lesson["prompt"])
            answer = tokenizer.encode_control("\n</think>\n\n".join(lesson["parts"]) + "<|im_end|>")
            found.append((prompt, answer))
    return found


def train(folder: Path, data: list[tuple[list[int], list[int]]], steps: int) -> None:
    """Teach the sequences. Only the rows of tokens that occur are trained; all others share one row."""
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    rng, began = random.Random(0), time.monotonic()
    used = sorted({t for prompt, answer in data for t in (*prompt, *answer)})
    row = {t: i for i, t in enumerate(used)}
    shape = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "head_dim": 32}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False}
    ends = {"bos_token_id": END_OF_TEXT, "eos_token_id": IM_END, "max_position_embeddings": 8192}
    model = Qwen3ForCausalLM(Qwen3Config(vocab_size=len(used) + 1, **shape, **heads, **ends))
    others = torch.zeros(len(used) + 1)
    others[-1] = math.log(VOCABULARY - len(used))  # the shared row stands for all of them in the softmax
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(steps):
        batch = rng.sample(data, min(12, len(data)))
        longest = max(len(p) + len(a) for p, a in batch)
        x = torch.full((len(batch), longest), len(used))
        y = torch.full((len(batch), longest), -100)
        for i, (prompt, answer) in enumerate(batch):
            ids = torch.tensor([row[t] for t in (*prompt, *answer)])
            x[i, : len(ids)] = ids
            y[i, len(prompt) : len(ids)] = ids[len(prompt) :]
        logits = model(input_ids=x).logits + others
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), y[:, 1:].flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step}: loss {loss.item():.3f}, {time.monotonic() - began:.0f} s", flush=True)
    whole = Qwen3ForCausalLM(Qwen3Config(vocab_size=VOCABULARY, **shape, **heads, **ends))
    small, large = model.state_dict(), whole.state_dict()
    for name, value in large.items():
        if value.shape[0] == VOCABULARY:
            value.copy_(small[name][-1].expand_as(value))
            value[torch.tensor(used)] = small[name][:-1]
        else:
            value.copy_(small[name])
    whole.load_state_dict(large)
    whole.generation_config = GenerationConfig(bos_token_id=END_OF_TEXT, eos_token_id=[IM_END, END_OF_TEXT])
    whole.to(torch.bfloat16).save_pretrained(folder)


if __name__ == "__main__":
    target = Path(sys.argv[2])
    write_tokenizer(target)
    train(target, sequences(target, Path(sys.argv[1])), int(sys.argv[3]) if len(sys.argv) > 3 else 400)
