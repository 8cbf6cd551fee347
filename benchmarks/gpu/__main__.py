"""All that is measured on a GPU, one script after the other, each within a time limit.

    python -m benchmarks.gpu FOLDER [--only emotion,codec] [--limit 150] [--small] [--device cpu]

First the models are written, all at once. Leaves FOLDER/NAME.json of each script, and log.txt; one that fails or hangs
costs the others nothing, and what it had measured stays.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

MODELS = {"emotion": "emotion2vec", "transcripts": "sensevoice", "codec": "s3tokenizer", "speaking": "cosyvoice2"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default=",".join(MODELS))
    parser.add_argument("--limit", type=float, default=150.0, help="seconds for a script")
    options, others = parser.parse_known_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    names, failed = options.only.split(","), 0
    with tempfile.TemporaryDirectory() as models, (options.folder / "log.txt").open("a", encoding="utf-8") as log:
        began = time.perf_counter()
        small = [o for o in others if o == "--small"]
        writers = [module(log, "full_width", MODELS[n], models, *small) for n in names if n in MODELS]
        for writer in writers:
            writer.wait()
        print(f"models written after {time.perf_counter() - began:.0f} s", flush=True)
        for name in names:
            began, out = time.perf_counter(), str(options.folder / f"{name}.json")
            process = module(log, name, *others, "--models", models, "--out", out)
            try:
                ended = process.wait(options.limit)
            except subprocess.TimeoutExpired:
                process.kill()
                ended = process.wait()
            failed += ended != 0
            how = "ended" if ended == 0 else f"FAILED ({ended})"
            print(f"{name}: {how} after {time.perf_counter() - began:.0f} s", flush=True)
    return failed


def module(log: IO[str], name: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"benchmarks.gpu.{name}", *arguments]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


if __name__ == "__main__":
    sys.exit(main())
