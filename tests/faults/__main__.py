"""Strike builds with faults, resume them, and count what they have lost: `python -m tests.faults --faults 10 --seed 1`.

A chain is one build that several faults strike, each somewhere on its way. A chain and its faults follow from its seed,
so `--seed` of a chain that failed gives its faults again (the moment at which they come is the machine's).
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ieat_data.errors import did_you_mean
from tests.faults.building import Build, Lab
from tests.faults.compare import Difference, compare, through_manifest
from tests.faults.kinds import KINDS, LATE

LONG = 4  # faults of one chain


def drawn(seed: int, kinds: list[str], n: int) -> list[str]:
    """Return the faults of a chain: with seeds that follow each other, all kinds come equally often."""
    mine = [kinds[(seed * LONG + i) % len(kinds)] for i in range(n)]
    random.Random(seed).shuffle(mine)
    return sorted(mine, key=lambda name: name in LATE)


class Proof:
    """Builds once undisturbed; then strikes."""

    def __init__(self, lab: Lab, log: Path) -> None:
        self.lab, self.log = lab, log
        whole = lab.new()
        assert whole.finish(1), f"the undisturbed build failed: {whole.driver.said()[-2000:]}"
        self.commits, self.whole = whole.committed(), through_manifest(whole.out)
        self.tally: Counter[str] = Counter()
        self.say(f"undisturbed: {len(self.whole)} rows, {self.commits} commits, {lab.shim.writes} writes")

    def say(self, line: str) -> None:
        print(line, flush=True)
        with self.log.open("a") as f:
            f.write(line + "\n")

    def chain(self, seed: int, faults: list[str]) -> Difference:
        """Strike one build with some faults, and compare."""
        began, rng, done, found = time.monotonic(), random.Random(seed), list[str](), Difference()
        build = self.lab.new()
        for i, name in enumerate(faults):
            mark = round(self.commits * (i + rng.random()) / len(faults))
            if not build.reach(mark, rng):
                found += self._judged(build)
                build = self.lab.new()
                build.reach(rng.randrange(self.commits // 2), rng)
            did = KINDS[name].strike(build, rng)
            done.append(f"{name} ({did})")
        found += self._judged(build)
        self.say(
            f"seed {seed}: {'; '.join(done)} | {time.monotonic() - began:.0f} s | lost {found.lost} doubled "
            f"{found.doubled}{''.join(f' | {x}' for x in found.told)}"
        )
        return found

    def _judged(self, build: Build) -> Difference:
        """Let a build end, compare it, and delete it unless it has lost something."""
        ended = build.finish()
        found = (
            compare(build.out, self.whole, self.lab.folder / "hf" / build.out.name)
            if ended
            else Difference(len(self.whole), 0, ["does not end"])
        )
        build.close()
        for line in build.failed:
            self.tally["ended by itself, with a line"] += 1
            self.say(f"    a run ended: {line}")
        for line in build.rude:
            self.tally["ended with a traceback"] += 1
            self.say(f"    a traceback: {line}")
        if not found.lost and not found.doubled:
            shutil.rmtree(build.out)
        else:
            self.say(f"    kept: {build.out}")
        return found


def chains(faults: int, seed: int, kinds: list[str]) -> Iterator[tuple[int, list[str]]]:
    while faults > 0:
        n = min(LONG, faults)
        yield seed, drawn(seed, kinds, n)
        seed, faults = seed + 1, faults - n


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first chain; each has the next one")
    parser.add_argument("--kinds", default="", help=f"only these, with commas between: {', '.join(KINDS)}")
    parser.add_argument("--log", type=Path, help="append all lines to this file, too")
    asked = parser.parse_args()
    kinds = [k for k in asked.kinds.split(",") if k] or list(KINDS)
    if unknown := [k for k in kinds if k not in KINDS]:
        parser.error(f"kind {unknown[0]!r} is not known{did_you_mean(unknown[0], KINDS)}")
    folder, ray = Path(tempfile.mkdtemp(prefix="faults-")), Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    lab, found = Lab(folder, ray), Difference()
    try:
        proof = Proof(lab, asked.log or folder / "log")
        for seed, faults in chains(asked.faults, asked.seed, kinds):
            found += proof.chain(seed, faults)
    finally:
        lab.close()
        shutil.rmtree(ray, ignore_errors=True)
    if not found.lost and not found.doubled:
        shutil.rmtree(folder)
    print(f"faults {asked.faults} lost {found.lost} doubled {found.doubled}")
    return 1 if found.lost or found.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
