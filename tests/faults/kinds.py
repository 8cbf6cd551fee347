"""Kinds of faults. Each strikes a build that runs, and leaves it to be resumed by the same command.

A new kind is a class with a sentence and `strike`; it is part of every run once it stands in `KINDS`.
"""

from __future__ import annotations

import errno
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.faults.building import ENDS_S, Build, Driver
from tests.faults.processes import Process
from tests.faults.shim import NAMES

DAY_S = 86_400
SECOND_SEED = "seed=7"  # what the second driver of `two_settings` asks for


class Kind(Protocol):
    """One kind of fault."""

    def strike(self, build: Build, rng: random.Random) -> str:
        """Do it, and tell what was done."""


class KillDriver:
    """SIGKILL for the driver alone. Its workers may go on for a while, beside the next driver."""

    def strike(self, build: Build, rng: random.Random) -> str:
        left = len(build.driver.processes())
        build.driver.send(signal.SIGKILL)
        build.driver.wait(10)
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0, 2))
        return f"{left} processes left behind"


class KillAll:
    """SIGKILL for the driver and all that it has started: a power cut without the loss of what was written."""

    def strike(self, build: Build, rng: random.Random) -> str:
        victims = build.driver.processes()
        build.driver.send(signal.SIGKILL)
        killed = sum(p.kill() for p in victims)
        build.driver.wait(10)
        return f"the driver and {killed} processes"


class KillOne:
    """SIGKILL for one process of a kind below the driver, by its title."""

    def __init__(self, *titles: str) -> None:
        self.titles = titles

    def strike(self, build: Build, rng: random.Random) -> str:
        victim = _one(build, self.titles, rng)
        return Path(victim.title.split()[0]).name if victim and victim.kill() else "no victim"


class Frozen:
    """SIGSTOP for one process, SIGCONT some seconds later."""

    def strike(self, build: Build, rng: random.Random) -> str:
        titles = rng.choice((("ray::_run_job", "ray::IDLE"), ("ray::EngineActor",), ("raylet/raylet",), ()))
        victim = _one(build, titles, rng) if titles else None
        seconds = rng.uniform(0.5, 3)
        send = victim.send if victim else build.driver.send
        send(signal.SIGSTOP)
        time.sleep(seconds)
        send(signal.SIGCONT)
        return f"{Path(victim.title.split()[0]).name if victim else 'the driver'} for {seconds:.1f} s"


class Ended:
    """SIGTERM, SIGINT or SIGHUP for the driver, as schedulers, people and closed terminals send them."""

    def strike(self, build: Build, rng: random.Random) -> str:
        number = rng.choice((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        build.driver.processes()
        build.driver.send(number)
        status = build.driver.wait(60)
        time.sleep(1)
        left = build.driver.left()
        return f"{number.name}: status {status}, {len(left)} processes left"


class DiskError:
    """ENOSPC or EIO for one to three writes (or, `reads`, reads) below the output folder, wherever they come."""

    def __init__(self, error: int, reads: bool = False) -> None:
        self.error, self.reads = error, reads

    def strike(self, build: Build, rng: random.Random) -> str:
        after, calls = rng.randrange(15 if self.reads else 60), rng.choice((1, 1, 3))
        shim = build.lab.shim
        (shim.fail_reads if self.reads else shim.fail)(after, calls, self.error)
        _wait(build, lambda: shim.struck >= calls)
        struck = shim.struck
        shim.rest()
        return f"{NAMES[self.error]} for {struck} calls, {after} later"


class FullDisk:
    """Every write fails from some moment on, until the build ends by itself or ten seconds have gone."""

    def strike(self, build: Build, rng: random.Random) -> str:
        after, shim = rng.randrange(60), build.lab.shim
        shim.fail(after, 1 << 40, errno.ENOSPC)
        _wait(build, lambda: False, 10)
        struck, status = shim.struck, build.driver.ended()
        shim.rest()
        return f"{struck} calls, driver's status {status}"


class DiesAtWrite:
    """The process that does the n-th write from now dies before it, or (`torn`) in the middle of it."""

    def __init__(self, torn: bool) -> None:
        self.torn = torn

    def strike(self, build: Build, rng: random.Random) -> str:
        after, shim = rng.randrange(80), build.lab.shim
        shim.die(after, self.torn)
        _wait(build, lambda: shim.struck > 0)
        struck = shim.struck
        shim.rest()
        return f"{after} writes later" if struck else "the build ended before"


class DiesPublishing:
    """The driver dies at one of the writes that publish."""

    def strike(self, build: Build, rng: random.Random) -> str:
        after, shim = rng.randrange(1, 40), build.lab.shim
        shim.die(after, torn=rng.random() < 0.5, published=True)
        _wait(build, lambda: shim.struck > 0, ENDS_S)
        struck = shim.struck
        shim.rest()
        return f"at its write {after}" if struck else f"it has fewer than {after} writes"


class SecondDriver:
    """A second driver with the same command beside the first one, its clock perhaps hours ahead."""

    def __init__(self, *sets: str) -> None:
        self.sets = sets

    def strike(self, build: Build, rng: random.Random) -> str:
        skew = rng.choice((0, 0, 2 * 3600))
        second = Driver(build.lab, build.out, self.sets, skew)
        build.runs.append(second)
        while second.ended() is None and not second.late():
            second.processes()
            time.sleep(0.2)
        status = second.ended()
        if status is None:
            second.send(signal.SIGKILL)
        if status == 0 and build.driver.ended() == 0:
            build.driver.wait(1)
            build.resume()  # the last command wins: the first one is given again
        build.rude += second.exceptions()
        return f"status {status}, {skew} s ahead: {second.last_line()[:160]}"


class FlippedBits:
    """Single bits of stored files flip while no build runs: tables, records, answers, plans."""

    def strike(self, build: Build, rng: random.Random) -> str:
        KillAll().strike(build, rng)
        work = build.out / ".work"
        groups = (
            "tables/*/pa[rc][tk]-*",  # single or joined
            "tables/*/records/[!.]*",
            "answers/**/*.answers",
            "answers/*/joined-*.json",
            "tables/*/plan.json",
            "*.json",
        )
        done = []
        for pattern in rng.sample(groups, rng.randint(1, 3)):
            files = sorted(p for p in work.glob(pattern) if p.is_file() and p.stat().st_size)
            if files:
                path = rng.choice(files)
                flip(path, rng)
                done.append(path.relative_to(work).as_posix())
        return ", ".join(done) or "nothing stored yet"


class FlippedShard:
    """A bit of a published shard flips; `ieat verify` has to find it, and the same command to mend it."""

    def strike(self, build: Build, rng: random.Random) -> str:
        from ieat_data.dataset.verify import verify

        if not build.finish():
            return "the build did not end"
        path = rng.choice(sorted(build.out.glob("data/*/*.parquet")))
        flip(path, rng)
        found = verify(build.out)
        build.resume()
        return f"{path.relative_to(build.out)}; verify finds {'it' if found else 'NOTHING'}"


class ClockJump:
    """The clocks of all processes jump by hours or years, forward or back; the driver is killed and goes on so."""

    def strike(self, build: Build, rng: random.Random) -> str:
        days = rng.choice((-400, -0.1, 0.1, 400))
        build.lab.shim.jump(round(days * DAY_S))
        time.sleep(0.5)
        KillDriver().strike(build, rng)
        later = rng.choice((0, -400, 400))
        build.resume()
        build.lab.shim.jump(later * DAY_S)
        return f"by {days:g} days, then to {later:g}"


LATE = ("publish", "published_bits")  # they let a build run to its end: no fault of its chain comes after them
KINDS: dict[str, Kind] = {
    "driver": KillDriver(),
    "group": KillAll(),
    "worker": KillOne("ray::_run_job", "ray::IDLE"),
    "actor": KillOne("ray::EngineActor"),
    "meter": KillOne("ray::Meter"),
    "raylet": KillOne("raylet/raylet", "gcs_server"),
    "stopped": Frozen(),
    "signal": Ended(),
    "enospc": DiskError(errno.ENOSPC),
    "eio": DiskError(errno.EIO),
    "eio_read": DiskError(errno.EIO, reads=True),
    "full": FullDisk(),
    "at_write": DiesAtWrite(torn=False),
    "torn_write": DiesAtWrite(torn=True),
    "publish": DiesPublishing(),
    "two": SecondDriver(),
    "two_settings": SecondDriver(SECOND_SEED),
    "bits": FlippedBits(),
    "published_bits": FlippedShard(),
    "clock": ClockJump(),
}


def flip(path: Path, rng: random.Random) -> None:
    """Flip one bit of a file in place: its hard links see it, too."""
    with path.open("r+b") as f:
        at = rng.randrange(path.stat().st_size)
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << rng.randrange(8)]))


def _one(build: Build, titles: tuple[str, ...], rng: random.Random) -> Process | None:
    until = time.monotonic() + 20
    while build.driver.ended() is None and time.monotonic() < until:
        found = build.driver.processes()
        if victims := next((v for t in titles if (v := [p for p in found if t in p.title])), []):
            return rng.choice(victims)
        time.sleep(0.05)
    return None


def _wait(build: Build, done: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until it has struck, the build has ended, or `seconds` have gone."""
    until = time.monotonic() + seconds
    while not done() and build.driver.ended() is None and time.monotonic() < until:
        time.sleep(0.02)
