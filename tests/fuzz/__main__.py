"""Feed damaged bytes for some minutes: `python -m tests.fuzz --minutes 60 [--target belle]`.

Each target runs in a process of its own with bounded memory, so that one that ends the interpreter is found too. With
atheris installed (`make fuzz`), what reaches new lines of the package is kept and harmed further; else harm is random.
What ends badly is written to `corpus/TARGET/`, where every `make test` reads it again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.attack import CORPUS, child
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--random", action="store_true", help="without atheris, even if it is installed")
    asked = parser.parse_args()
    names = asked.target or list(TARGETS)
    led = not asked.random and importlib.util.find_spec("atheris") is not None
    print(f"seed {asked.seed}, {'led by atheris' if led else 'random'}", flush=True)
    found = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for name in names:
            last = Path(folder) / "last"
            (CORPUS / name).mkdir(parents=True, exist_ok=True)
            arguments = (name, asked.minutes * 60 / len(names), asked.seed, last, led)
            process = multiprocessing.get_context("spawn").Process(target=child, args=arguments)
            process.start()
            process.join()
            if process.exitcode:
                data = last.read_bytes()
                kept = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
                kept.write_bytes(data)
                print(last.with_name("said").read_text(errors="replace")[-3000:])
                print(f"{name}: FOUND (status {process.exitcode}): {kept}", flush=True)
                found += 1
            elif not any((CORPUS / name).iterdir()):
                (CORPUS / name).rmdir()
    print(f"targets {len(names)} found {found}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
