"""How the production engines run on a CPU with tiny models: what tests lay over the shipped pipeline and profiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ieat_data.audio import encode_flac

# Chunked prefill with a seed for each request ends vLLM's CPU engine.
ENGINE_ARGS = {
    "dtype": "bfloat16",
    "enforce_eager": True,
    "block_size": 32,
    "enable_chunked_prefill": False,
    "max_num_batched_tokens": 8192,
}
CONTEXT = 2048

PIPELINE = "stage1-2"  # the shipped one

# The voices of CosyVoice2: name → pitch of the tone (Hz) that stands for the voice, and what is "said" in it.
VOICES = {
    "en": {"ann": (210.0, "Good morning to you."), "bob": (120.0, "How are you today?")},
    "zh": {"li": (180.0, "早上好。"), "wang": (140.0, "你今天怎么样？")},
}
NAMES = {language: list(voices) for language, voices in VOICES.items()}


def write_bank(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    at = np.arange(32_000) / 16_000
    lines = []
    for language, voices in VOICES.items():
        for name, (pitch, said) in voices.items():
            tone = 0.3 * np.sin(2 * np.pi * pitch * at) * (1 + 0.5 * np.sin(2 * np.pi * 3 * at))
            (folder / f"{name}.flac").write_bytes(encode_flac(tone.astype(np.float32), 16_000))
            lines.append({"id": name, "audio": f"{name}.flac", "transcript": said, "language": language})
    (folder / "bank.jsonl").write_text("\n".join(json.dumps(x, ensure_ascii=False) for x in lines), encoding="utf-8")


def asr(tiny: Path) -> dict[str, Any]:
    return {"model": str(tiny / "sensevoice"), "device": "cpu"}


def ser(tiny: Path) -> dict[str, Any]:
    return {"model": str(tiny / "emotion2vec"), "device": "cpu"}


def tts(tiny: Path) -> dict[str, Any]:
    bank = str(tiny / "voices" / "bank.jsonl")
    return {"model": str(tiny / "cosyvoice2"), "voices_file": bank, "require_gpu": False}


def gpu(tiny: Path, vllm: str, speech: str) -> dict[str, Any]:
    """The shipped `gpu` profile on tiny models. `vllm`, `speech`: Pythons of the engines' environments."""
    llm = {"model": str(tiny / "qwen3"), "context": CONTEXT, "max_num_seqs": 64, "engine_args": ENGINE_ARGS}
    engines: dict[str, Any] = {
        "llm": {"python": vllm, "settings": llm},
        "asr": {"python": speech, "settings": asr(tiny)},
        "ser": {"python": speech, "settings": ser(tiny)},
        "tts": {"python": speech, "settings": tts(tiny), "voices": NAMES, "replicas": 1},
    }
    return _over("gpu", {role: {**block, "num_gpus": 0} for role, block in engines.items()})


def server(tiny: Path, speech: str, llm_url: str, speech_url: str) -> dict[str, Any]:
    """The shipped `server` profile; the names of the models are its own."""
    llm = {"base_urls": [llm_url], "tokenizer": str(tiny / "qwen3"), "context": CONTEXT}
    return _over(
        "server",
        {
            "llm": {"settings": llm},
            "asr": {"settings": {"base_urls": [speech_url]}},
            "ser": {"python": speech, "num_gpus": 0, "settings": ser(tiny)},
            # with the seeds of the requests, the tiny model behind the server says what it says in process
            "tts": {"settings": {"base_urls": [speech_url], "send_seed": True}, "voices": NAMES},
        },
    )


def _over(base: str, engines: dict[str, Any]) -> dict[str, Any]:
    # few shards at once: each has a process that reads and checks, and there are two cores
    small = {"shards_in_flight": 4, "ray": {"num_cpus": 2, "object_store_mb": 256}}
    return {"name": f"tiny-{base}", "base": base, **small, "engines": engines}
