"""Harms a target's bytes for a while, in a process of its own with bounded memory."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.mutations import drawn, edited
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
MORE_BYTES = 2 << 30  # of address space, beyond what the interpreter and its libraries have when the reading begins
SLOW_S = 60  # for one input: a reader that takes longer hangs


def bounded() -> None:
    """Give this process no more memory than a reader may ever need."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def attack(name: str, seconds: float, seed: int, last: Path) -> None:
    """Harm a target's seed until the time is over. What is read now lies in the file `last`."""
    target, rng = TARGETS[name], random.Random(f"{name} {seed}")
    known = [target.seed(), *(p.read_bytes() for p in sorted((CORPUS / name).glob("*")))]
    until, n = time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        target.run(known[0], Path(folder))  # what is loaded on first use does not count
        bounded()
        while time.monotonic() < until:
            data = edited(rng.choice(known), drawn(rng))
            last.write_bytes(data)
            signal.alarm(SLOW_S)
            target.run(data, Path(folder))
            signal.alarm(0)
            n += 1
    print(f"{name}: {n} inputs, nothing found", flush=True)


def guided(name: str, seconds: float, seed: int, last: Path) -> None:
    """The same, led by atheris."""
    import atheris

    for module in [m for n, m in sys.modules.items() if n.startswith("ieat_data.")]:
        for key, value in list(vars(module).items()):
            if getattr(value, "__module__", None) == module.__name__ and callable(value) and hasattr(value, "__code__"):
                setattr(module, key, atheris.instrument_func(value))
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, tempfile.TemporaryDirectory(prefix="fuzz-") as seeds:
        (Path(seeds) / "seed").write_bytes(target.seed())
        target.run(target.seed(), Path(folder))
        bounded()

        def one(data: bytes) -> None:
            last.write_bytes(data)
            target.run(data, Path(folder))

        options = [f"-max_total_time={int(seconds)}", f"-timeout={SLOW_S}", "-rss_limit_mb=0", f"-seed={seed}"]
        options += [f"-max_len={2 * len(target.seed()) + 4096}", f"-artifact_prefix={seeds}/", "-verbosity=0"]
        atheris.Setup(["fuzz", *options, seeds, str(CORPUS / name)], one, internal_libfuzzer=True)
        atheris.Fuzz()


def child(name: str, seconds: float, seed: int, last: Path, led: bool) -> None:
    said = os.open(last.with_name("said"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(said, 2)  # decoders tell of each damage that they see
    try:
        (guided if led else attack)(name, seconds, seed, last)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
