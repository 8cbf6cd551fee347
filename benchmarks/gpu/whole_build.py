"""A whole build of the sample sources with the `gpu` profile on tiny models, and `ieat verify` of it.

    IEAT_TINY=… IEAT_VLLM_PYTHON=… IEAT_SPEECH_PYTHON=… python -m benchmarks.gpu.whole_build [--device cpu] [--out FILE]

The variables are those of `make test-engines`: the folder of the tiny models, and the Pythons of the engines.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from ieat_data.building import build
from ieat_data.cli.build import make_plan
from ieat_data.dataset.verify import verify
from tests.support.tiny import settings

# shares of one GPU, so that all engines fit on it
SHARES = {"llm": 0.4, "asr": 0.1, "ser": 0.1, "tts": 0.2}


def profile(device: str) -> dict[str, Any]:
    """The profile of the tests, with its engines on `device`."""
    found = settings.gpu(
        Path(os.environ["IEAT_TINY"]), os.environ["IEAT_VLLM_PYTHON"], os.environ["IEAT_SPEECH_PYTHON"]
    )
    if device == "cpu":
        return found
    engines = found["engines"]
    for role, share in SHARES.items():
        engines[role]["num_gpus"] = share
    engines["llm"]["settings"] |= {"gpu_memory": 0.3, "engine_args": {"dtype": "bfloat16"}}
    for role in ("asr", "ser"):
        engines[role]["settings"]["device"] = device
    engines["tts"]["settings"]["require_gpu"] = True
    return found


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as work:
        path, out = Path(work) / "profile.yaml", Path(work) / "out"
        path.write_text(yaml.safe_dump(profile(options.device), allow_unicode=True), "utf-8")
        began = time.perf_counter()
        manifest = build(make_plan(settings.PIPELINE, str(path), out, None, None, None), out)
        found = {
            "built_s": round(time.perf_counter() - began, 1),
            "device": options.device,
            "rows": {name: config["rows"] for name, config in manifest["configs"].items()},
            "engines": {role: engine["engine"] for role, engine in manifest["engines"].items()},
            "faults": [str(fault) for fault in verify(out)],
        }
    text = json.dumps(found, indent=1)
    if options.out:
        options.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--out", type=Path)
    main(parser.parse_args())
