"""How the production engines run on a CPU with tiny models: what tests lay over the shipped pipeline and profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def asr(tiny: Path) -> dict[str, Any]:
    return {"model": str(tiny / "sensevoice"), "device": "cpu"}


def ser(tiny: Path) -> dict[str, Any]:
    return {"model": str(tiny / "emotion2vec"), "device": "cpu"}


def tts(tiny: Path) -> dict[str, Any]:
    return {"model": str(tiny / "cosyvoice2"), "require_gpu": False}


def gpu(tiny: Path, vllm: str, speech: str) -> dict[str, Any]:
    """The shipped `gpu` profile on tiny models. `vllm`, `speech`: Pythons of the engines' environments."""
    llm = {"model": str(tiny / "qwen3"), "context": CONTEXT, "max_num_seqs": 64, "engine_args": ENGINE_ARGS}
    engines: dict[str, Any] = {
        "llm": {"python": vllm, "settings": llm},
        "asr": {"python": speech, "settings": asr(tiny)},
        "ser": {"python": speech, "settings": ser(tiny)},
        "tts": {"python": speech, "settings": tts(tiny), "replicas": 1},
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
            "tts": {"settings": {"base_urls": [speech_url], "send_seed": True}},
        },
    )


def _over(base: str, engines: dict[str, Any]) -> dict[str, Any]:
    # few shards at once: each has a process that reads and checks, and there are two cores
    small = {"shards_in_flight": 4, "ray": {"num_cpus": 2, "object_store_mb": 256}}
    return {"name": f"tiny-{base}", "base": base, **small, "engines": engines}
