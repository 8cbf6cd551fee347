"""What every script here says: on which machine, with which versions, by which command, how long it took."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "torchaudio", "funasr", "s3tokenizer", "transformers", "onnxruntime", "vllm", "numpy")
# how float32 is computed on a GPU: cuDNN's convolutions, then matrix products; torch's own default is the second
PRECISIONS = {"ieee": (False, "highest"), "tf32_convolutions": (True, "highest"), "tf32": (True, "high")}


def arguments(description: str) -> argparse.ArgumentParser:
    """`--device`, `--small` (seconds on a CPU, and no figures worth keeping), `--out`."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--small", action="store_true", help="tiny models and few clips")
    parser.add_argument("--models", type=Path, help="where models were written before (benchmarks.gpu.full_width)")
    parser.add_argument("--clips", type=int, help="how many clips, where a script is given clips")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    return parser


def machine(device: str) -> dict[str, Any]:
    """The GPU (or `cpu`), its memory in GiB, the cores, and the versions of what is installed."""
    found: dict[str, Any] = {"device": "cpu", "cores": os.cpu_count(), "python": platform.python_version()}
    if device.startswith("cuda"):
        gpu = torch.cuda.get_device_properties(device)
        found |= {"device": gpu.name, "memory_gib": round(gpu.total_memory / 2**30, 1), "cuda": torch.version.cuda}
    found["versions"] = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found["versions"][name] = importlib.metadata.version(name)
    return found


class Report(dict[str, Any]):
    """Results by name, under machine and command. Each is written to `--out` as it comes: a script that is cut off has
    said something."""

    def __init__(self, options: argparse.Namespace, part: str) -> None:
        super().__init__()
        self._out, self._part = options.out, part
        given = [a for i, a in enumerate(sys.argv[1:]) if not {a, sys.argv[i]} & {"--models", "--out"}]
        command = " ".join(["python -m", f"benchmarks.gpu.{Path(sys.argv[0]).stem}", *given])
        self._head = {"command": command, "machine": machine(options.device)}

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        print(f"{name}: {json.dumps(value, ensure_ascii=False)}", flush=True)
        if self._out:
            text = json.dumps({**self._head, self._part: self}, indent=1, ensure_ascii=False)
            self._out.write_text(text + "\n", "utf-8")


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def timed(call: Callable[[], Any], device: str, repeats: int) -> dict[str, Any]:
    """The seconds of `call` after one call to warm up: median of `repeats`, least and most; `peak_gib` of the GPU."""
    call()
    synchronize(device)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        synchronize(device)
        took.append(time.perf_counter() - began)
    found = {"s": statistics.median(took), "least_s": min(took), "most_s": max(took), "repeats": repeats}
    if device.startswith("cuda"):
        found["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    return {k: round(v, 4) for k, v in found.items()}


def rate(call: Callable[[], Any], device: str, repeats: int, audio_s: float) -> dict[str, Any]:
    """As `timed`, with `audio_s_per_s`: seconds of audio for each second."""
    found = timed(call, device, repeats)
    return {"audio_s_per_s": round(audio_s / found["s"], 1), **found}


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Compute in one of `PRECISIONS` meanwhile."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    try:
        _set_precision(*PRECISIONS[name])
        yield
    finally:
        _set_precision(*before)


def _set_precision(convolutions: bool, products: str) -> None:
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.set_float32_matmul_precision(products)


@contextlib.contextmanager
def little_memory(device: str, gib: float) -> Iterator[None]:
    """Let this process have `gib` more of the GPU's memory than it holds now, and no more."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    share = (torch.cuda.memory_reserved(device) + gib * 2**30) / total
    torch.cuda.set_per_process_memory_fraction(min(share, 1.0), device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()
