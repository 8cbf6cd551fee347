"""Model folders at the width of the published models, with random weights, or tiny ones: what a script loads.

    python -m benchmarks.gpu.full_width NAME FOLDER [--small]

The widths are those that the published configurations name; no file of theirs is here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.support.tiny import cosyvoice2, emotion2vec, funasr_asr, s3tokenizer

# 0.3 B parameters: 8 blocks on each frame of 20 ms, then 16
EMOTION2VEC_LARGE = {"width": 1024, "heads": 16, "depth": 16, "prenet": 8, "channels": 512, "conv_groups": 16}
# 0.23 B: 70 blocks of SAN-M on frames of 60 ms, 25,055 words
SENSEVOICE_SMALL = {"num_blocks": 50, "tp_blocks": 20, "attention_heads": 4, "linear_units": 2048}
SENSEVOICE_WIDTH, SENSEVOICE_WORDS = 512, 25_055
S3_WIDTH, S3_LAYERS = 1280, 6
COSYVOICE2 = cosyvoice2.Sizes(
    width=896,
    qwen={
        "vocab_size": 151_936,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
    },
    flow_heads=8,
    flow_units=2048,
    flow_blocks=6,
    channels=256,
    head_dim=64,
    blocks=4,
    mid_blocks=12,
    heads=8,
    vocoder=512,
    kernels=(3, 7, 11),
    end_bias=-30.0,  # speech ends where the library cuts it off: 20 speech tokens for a token of text
)
COSYVOICE2_TINY = cosyvoice2.Sizes(end_bias=-30.0)


def folder(name: str, models: Path | None, work: str, small: bool) -> Path:
    """The model `name`: in `models` where it was written before, else written into `work`."""
    path = (models or Path(work)) / name
    return path if path.exists() else write(name, path, small)


def write(name: str, path: Path, small: bool) -> Path:
    """Write the model; `path` becomes its folder, or the file of `s3tokenizer`, when it is whole."""
    return _write(name, path.with_name(f".{name}"), small).rename(path)


def _write(name: str, path: Path, small: bool) -> Path:
    if name == "emotion2vec":
        return emotion2vec.write(path, sizes=emotion2vec.TINY if small else EMOTION2VEC_LARGE)
    if name == "sensevoice":
        if small:
            return funasr_asr.write_sensevoice(path)
        return funasr_asr.write_sensevoice(path, words(SENSEVOICE_WORDS), SENSEVOICE_WIDTH, SENSEVOICE_SMALL)
    if name == "s3tokenizer":
        return s3tokenizer.write(path) if small else s3tokenizer.write(path, S3_WIDTH, S3_LAYERS)
    from benchmarks.gpu import stand_ins
    from ieat_data.engines.tts import cosyvoice2_load

    stand_ins.put()
    cosyvoice2_load._library()  # of the clone in COSYVOICE_HOME: its classes make the model
    return cosyvoice2.build(path, COSYVOICE2_TINY if small else COSYVOICE2)


def words(count: int) -> list[str]:
    """As many as a vocabulary of `count` has beside its tags: Chinese characters, then Korean ones."""
    left = count - 3 - len(funasr_asr.TAGS)
    chinese = [chr(c) for c in range(0x4E00, 0x9FA6)]
    return [*chinese, *(chr(0xAC00 + i) for i in range(left - len(chinese)))]


def parameters(module: Any) -> int:
    return sum(p.numel() for p in module.parameters())


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]) / sys.argv[1], "--small" in sys.argv)
