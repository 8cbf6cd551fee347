"""Tiny random audio language models with their real processors and the real Qwen vocabulary.

    python -m tests.support.tiny.audio_models FOLDER qwen2_audio [qwen2_5_omni …]

Run in a trainer's environment (torch, transformers, tokenizers; `dashscope` carries the vocabulary). The weights mean
nothing; processor, template and tokens are what the published models have.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.support.tiny.qwen3 import ADDED, END_OF_TEXT, VOCABULARY, ranks, tokenizer_json

_TURNS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_AUDIO = ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
_SPOKEN = ["<tts_pad>", "<tts_text_bos>", "<tts_text_eod>", "<tts_text_bos_single>"]
_OMNI = ["<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_bos|>", "<|vision_eos|>", "<|vision_pad|>"]
SPECIAL = {
    "qwen2_audio": [*_TURNS, *_AUDIO],
    "qwen2_5_omni": [*_TURNS, *_AUDIO, *_OMNI, "<|IMAGE|>", "<|VIDEO|>"],
    "qwen3_omni": [*ADDED, "<|audio_start|>", "<|audio_end|>", *_SPOKEN, "<|audio_pad|>"],
}
_NAMED = {
    "qwen2_5_omni": {
        "image": "<|IMAGE|>",
        "audio": "<|AUDIO|>",
        "video": "<|VIDEO|>",
        "vision_bos": "<|vision_bos|>",
        "vision_eos": "<|vision_eos|>",
        "audio_bos": "<|audio_bos|>",
        "audio_eos": "<|audio_eos|>",
    },
    "qwen3_omni": {
        "image": "<|image_pad|>",
        "audio": "<|audio_pad|>",
        "video": "<|video_pad|>",
        "vision_bos": "<|vision_start|>",
        "vision_eos": "<|vision_end|>",
        "audio_bos": "<|audio_start|>",
        "audio_eos": "<|audio_end|>",
    },
}
_TEMPLATE = """\
{%- for m in messages -%}{%- if loop.first and m.role != 'system' -%}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif -%}<|im_start|>{{ m.role }}
{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}{% if c.type == 'audio' -%}
<|audio_bos|><|AUDIO|><|audio_eos|>{% elif c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor -%}{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""
_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
    "vocab_size": VOCABULARY,
}
_ENCODER = {
    "num_mel_bins": 128,
    "d_model": 32,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "max_source_positions": 1500,
}


def write_tokenizer(folder: Path, kind: str) -> dict[str, int]:
    """Write the tokenizer of a kind. Return the ids of its special tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizer_json(ranks())
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    ids = {token: END_OF_TEXT + i for i, token in enumerate(SPECIAL[kind])}
    made["added_tokens"] = [{"id": i, "content": token, **flags} for token, i in ids.items()]
    (folder / "tokenizer.json").write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 32768,
    }
    config |= {f"{name}_token": token for name, token in _NAMED.get(kind, {}).items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return ids


def qwen2_audio(folder: Path) -> None:
    """Write a tiny Qwen2-Audio."""
    from transformers import (
        AutoTokenizer,
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    ids = write_tokenizer(folder, "qwen2_audio")
    config = Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder", **_ENCODER},
        text_config={"model_type": "qwen2", **_TEXT},
        audio_token_index=ids["<|AUDIO|>"],
    )
    config.ignore_index = -100  # the published configuration has it; one made by code does not
    processor = Qwen2AudioProcessor(
        feature_extractor=WhisperFeatureExtractor(feature_size=128), tokenizer=AutoTokenizer.from_pretrained(folder)
    )
    processor.chat_template = _TEMPLATE
    _save(folder, Qwen2AudioForConditionalGeneration(config), processor)


def qwen2_5_omni(folder: Path) -> None:
    """Write a tiny Qwen2.5-Omni, whole: ms-swift wants talker and vocoder in the configuration too."""
    import torch
    from transformers import (
        AutoTokenizer,
        Qwen2_5OmniConfig,
        Qwen2_5OmniForConditionalGeneration,
        Qwen2_5OmniProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
        WhisperFeatureExtractor,
    )

    ids = write_tokenizer(folder, "qwen2_5_omni")
    rope = {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"}
    vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
    tokens = {
        "audio_token_index": "<|AUDIO|>",
        "image_token_index": "<|IMAGE|>",
        "video_token_index": "<|VIDEO|>",
        "audio_start_token_id": "<|audio_bos|>",
        "audio_end_token_id": "<|audio_eos|>",
        "vision_start_token_id": "<|vision_bos|>",
        "vision_end_token_id": "<|vision_eos|>",
    }
    thinker = {
        "audio_config": {**_ENCODER, "n_window": 100, "output_dim": 64},
        "vision_config": {**vision, "fullatt_block_indexes": [0]},
        "text_config": {**_TEXT, "rope_scaling": rope},
        **{key: ids[token] for key, token in tokens.items()},
    }
    talker = {**_TEXT, "head_dim": 16, "vocab_size": 200, "embedding_size": 64, "rope_scaling": rope}
    dit = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "head_dim": 16, "ff_mult": 1}
    dit |= {"emb_dim": 8, "enc_dim": 8, "enc_emb_dim": 8, "enc_attention_channels": 4, "enc_res2net_scale": 2}
    convolutions: dict[str, Any] = {"enc_channels": [8, 8, 8, 8, 24], "look_ahead_layers": [0], "block_size": 4}
    dit |= {"enc_se_channels": 4, "num_embeds": 32, "look_backward_layers": [0], **convolutions}
    config = Qwen2_5OmniConfig(
        thinker_config=thinker,
        talker_config={**talker, "num_hidden_layers": 1},
        token2wav_config={"dit_config": dit, "bigvgan_config": {"upsample_initial_channel": 64}},
        enable_audio_output=False,
    )
    small = {"min_pixels": 784, "max_pixels": 3136, "size": {"shortest_edge": 784, "longest_edge": 3136}}
    processor = Qwen2_5OmniProcessor(
        image_processor=Qwen2VLImageProcessor(**small),
        video_processor=Qwen2VLVideoProcessor(**small),
        # the published one pads each clip to 300 s: far too slow here
        feature_extractor=WhisperFeatureExtractor(feature_size=128, chunk_length=30),
        tokenizer=AutoTokenizer.from_pretrained(folder),
    )
    processor.chat_template = _TEMPLATE
    _save(folder, Qwen2_5OmniForConditionalGeneration(config), processor)
    torch.save({}, folder / "spk_dict.pt")


def qwen3_omni(folder: Path) -> None:
    """Write what Qwen3-Omni has besides its weights: a data path needs no more."""
    from transformers import (
        AutoTokenizer,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
        Qwen3OmniMoeConfig,
        Qwen3OmniMoeProcessor,
        WhisperFeatureExtractor,
    )

    write_tokenizer(folder, "qwen3_omni")
    processor = Qwen3OmniMoeProcessor(
        image_processor=Qwen2VLImageProcessor(),
        video_processor=Qwen2VLVideoProcessor(),
        feature_extractor=WhisperFeatureExtractor(feature_size=128, chunk_length=30),  # as above
        tokenizer=AutoTokenizer.from_pretrained(folder),
    )
    processor.chat_template = _TEMPLATE.replace("bos|><|AUDIO|><|audio_eos", "start|><|audio_pad|><|audio_end")
    processor.save_pretrained(folder)
    Qwen3OmniMoeConfig().save_pretrained(folder)


def _save(folder: Path, model: Any, processor: Any) -> None:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


KINDS = {"qwen2_audio": qwen2_audio, "qwen2_5_omni": qwen2_5_omni, "qwen3_omni": qwen3_omni}

if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    for name in sys.argv[2:]:
        KINDS[name](Path(sys.argv[1]) / name)
