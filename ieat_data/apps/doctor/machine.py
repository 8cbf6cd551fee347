"""What one machine has: runs on the driver's machine, and by Ray on every node of a cluster."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.apps.doctor import probe
from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.errors import UserError
from ieat_data.version import __version__

_PROBE_S = 600.0  # the first import of torch from a network disk takes minutes
# the packages that an engine needs, by its extra; shown if installed
_MODULES = {
    "vllm": ("vllm", "torch", "transformers", "tokenizers"),
    "funasr": ("funasr", "torch", "torchaudio"),
    "cosyvoice": ("cosyvoice", "torch", "torchaudio", "transformers", "hyperpyyaml", "onnxruntime"),
    "s3tokenizer": ("s3tokenizer", "torch", "onnx"),
    "llamacpp": ("xllamacpp", "tokenizers"),
    "whisper": ("faster_whisper", "ctranslate2"),
    "kokoro": ("kokoro_onnx", "misaki", "onnxruntime"),
    "server": ("httpx", "tokenizers"),
}


def survey(profile: Mapping[str, Any], roles: Sequence[str], folder: str, token: str | None = None) -> dict[str, Any]:
    """Return facts about this machine, and about these engines' interpreters, packages and models on it.

    Args:
        profile: as plain values.
        roles: the engines.
        folder: the work folder's nearest existing parent.
        token: the name of a file that the driver wrote into it, to see whether it is visible here.
    """
    known = Profile.model_validate(profile)
    return {
        "host": socket.gethostname(),
        "platform": platform.platform(terse=True),
        "python": platform.python_version(),
        "ieat_data": __version__,
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "folder_seen": token is None or (Path(folder) / token).is_file(),
        "free": shutil.disk_usage(folder).free if Path(folder).is_dir() else 0,
        "writable": os.access(folder, os.W_OK),
        "drivers": _drivers(),
        "engines": {r: _engine(r, known) for r in roles},
    }


def _engine(role: str, profile: Profile) -> dict[str, Any]:
    """Return `probe` (or `probe_error`), `missing` (lines), `models` (name → files)."""
    config = profile.engines[role]  # type: ignore[index]
    facts: dict[str, Any] = {"missing": [], "models": {}}
    try:
        cls = registry.engine_class(role, config.engine)
        request = {
            "modules": _MODULES.get(cls.extra, ()),
            "torch": True,
            "tokenizers": {role: (config.engine, dict(config.settings))} if role == "llm" else {},
        }
        facts["probe"] = ask_probe(config.python or sys.executable, request)
    except UserError as e:
        return facts | {"probe_error": str(e)}
    try:
        facts["missing"] = registry.missing(role, profile)
        facts["models"] = _models(cls.requirements(config.settings))
    except UserError as e:
        facts["missing"].append(str(e))
    return facts


def ask_probe(python: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run `probe.py` with `python` and return its answer.

    Raises:
        UserError: it cannot be run.
    """
    source = Path(probe.__file__).read_text(encoding="utf-8")
    # Ray hides the GPUs from a task that requests none, but not from an engine
    env = {k: v for k, v in os.environ.items() if (k, v) != ("CUDA_VISIBLE_DEVICES", "")}
    command = [python, "-c", source, json.dumps(request)]
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=_PROBE_S)
    except subprocess.TimeoutExpired:
        raise UserError(f"{python}: no answer within {_PROBE_S:g} s: run it by hand to see why") from None
    except OSError as e:
        raise UserError(
            f"{python}: cannot be started ({e.strerror}): create the environment there (docs/gpu.md), or set the "
            "engine's `python` to the interpreter that has it"
        ) from None
    _, mark, answer = done.stdout.rpartition(f"{probe.MARK}\n")
    if done.returncode or not mark:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise UserError(f"{python}: not a working Python (exit code {done.returncode}): {said}")
    facts: dict[str, Any] = json.loads(answer)
    return facts


def _models(needs: Sequence[Any]) -> dict[str, dict[str, int]]:
    """Return folder → file → bytes, of the models that are there."""
    from ieat_data.engines import weights as models

    found: dict[str, dict[str, int]] = {}
    for need in needs:
        if need.kind != "model":
            continue
        try:
            path = models.resolve(need.name)
        except UserError:
            continue  # reported as missing
        files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
        folder = path if path.is_dir() else path.parent
        found.setdefault(str(folder), {}).update({str(f.relative_to(folder)): f.stat().st_size for f in files})
    return found


def _drivers() -> list[str]:
    """Return the GPUs according to NVIDIA's driver: name, memory, driver version."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []
