"""`make bench`: what this package costs, compared with its peers and with bare loops (docs/performance.md).

    python -m benchmarks [--only rows] [--small] [--rounds 5] [--peers PYTHON] [--out benchmarks/results]

Each part writes OUT/PART.json; a table of ratios is printed. A peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

from benchmarks import page
from benchmarks.compare import Line, Options, as_json, machine, told, versions

# name → module with `measure(options)`
PARTS = {
    "rows": "benchmarks.rows_path",
    "memory": "benchmarks.rows_memory",
    "compose": "benchmarks.compose",
    "loading": "benchmarks.loading",
    "commands": "benchmarks.commands",
    "engines": "benchmarks.engines",
    "vllm": "benchmarks.vllm",
}
WITH_MODELS = {"engines", "vllm"}  # only where asked for by name
PEERS = ("ray", "datatrove", "datasets", "pyarrow", "webdataset", "soundfile")
PACKAGES = ("ray", "pyarrow", "numpy", "soundfile", "soxr", "xllamacpp", "faster-whisper", "kokoro-onnx", "vllm")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default=",".join(p for p in PARTS if p not in WITH_MODELS))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--peers", default=sys.executable, help="an interpreter with the peers' libraries")
    parser.add_argument("--out", type=Path, help="a folder for results as JSON")
    given = parser.parse_args()
    rounds = given.rounds or (1 if given.small else 5)
    options = Options(given.small, rounds, given.peers)
    every, about = list[Line](), machine(PACKAGES) | {"peers": versions(PEERS, given.peers)}
    for name in given.only.split(","):
        began, lines = time.perf_counter(), list[Line]()
        command = f"python -m benchmarks --only {name}" + " --small" * given.small + f" --rounds {rounds}"
        for line in importlib.import_module(PARTS[name]).measure(options):
            lines.append(line)
            if given.out:  # after each: what is cut off has said something
                given.out.mkdir(parents=True, exist_ok=True)
                text = json.dumps(as_json(lines, command, about), indent=1, ensure_ascii=False)
                (given.out / f"{name}.json").write_text(text + "\n", "utf-8")
        every += lines
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    if given.out:
        page.write()
    print(told(every))
    return 0


if __name__ == "__main__":
    sys.exit(main())
