"""The proof is worth something: what is lost is counted, and what is to fail fails."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ieat_data.cli.build import make_plan
from tests.faults.__main__ import LONG, drawn
from tests.faults.compare import compare, difference, through_manifest
from tests.faults.kinds import KINDS, flip
from tests.faults.shim import Shim, compiler
from tests.support import corpora
from tests.support.in_process import build_here

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler")


def test_rows_that_are_missing_different_foreign_or_doubled_are_counted() -> None:
    whole = [("a", "1"), ("b", "2"), ("c", "3")]
    assert difference("x", whole, whole).told == []
    found = difference("x", whole, [("a", "1"), ("a", "1"), ("b", "9"), ("d", "4")])
    assert (found.lost, found.doubled) == (3, 1)
    assert found.told == ["x: 1 missing, 1 differ, 1 foreign, 1 doubled"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str]]]:
    folder = tmp_path_factory.mktemp("built")
    made = corpora.make(folder, 2)
    build_here(make_plan(made.pipeline, made.profile, folder / "out", None, [], None), folder / "out")
    return folder / "out", through_manifest(folder / "out")


@pytest.mark.long
@pytest.mark.parametrize("harm", ["nothing", "gone", "flipped", "beside"])
def test_a_finished_build_is_compared_by_its_manifest_and_as_datasets_reads_it(
    harm: str, built: tuple[Path, list[tuple[str, str]]], tmp_path: Path
) -> None:
    pytest.importorskip("datasets")
    out = tmp_path / "out"
    shutil.copytree(built[0], out, ignore=shutil.ignore_patterns(".work"))
    shard = sorted(out.glob("data/stage1_1/*.parquet"))[0]
    rows = pq.read_metadata(shard).num_rows
    if harm == "gone":
        shard.unlink()
    elif harm == "flipped":
        flip(shard, random.Random(1))
    elif harm == "beside":  # what the card names and the manifest does not
        shutil.copy(shard, shard.with_name(f"old-{shard.name}"))
        card = out / "README.md"
        card.write_text(card.read_text().replace(shard.name, f"{shard.name}\n    - data/stage1_1/old-{shard.name}"))
    found = compare(out, built[1], tmp_path / "hf")
    if harm == "nothing":
        assert (found.lost, found.doubled, found.told) == (0, 0, [])
    elif harm == "beside":
        assert found.doubled == rows
    else:
        assert found.lost > 0


def test_all_kinds_come_equally_often_and_a_seed_gives_the_same_chain_again() -> None:
    kinds = list(KINDS)
    seeds = range(len(kinds))
    assert set(Counter(k for s in seeds for k in drawn(s, kinds, LONG)).values()) == {LONG}
    assert [drawn(s, kinds, LONG) for s in seeds] == [drawn(s, kinds, LONG) for s in seeds]


WRITES = """
import os, sys, time
out = sys.argv[1]
print(time.time())
for i in range(10):
    try:
        with open(f"{out}/{i}", "wb", buffering=0) as f:
            f.write(b"12345678")
    except OSError as e:
        print(i, e.errno)
"""


def _writes(shim: Shim, out: Path) -> tuple[int, list[str]]:
    env = {**os.environ, **shim.environment()}
    done = subprocess.run([sys.executable, "-c", WRITES, str(out)], env=env, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


@needs_compiler
def test_the_shim_fails_the_writes_that_it_is_told_to_and_no_others(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir(), other.mkdir()
    shim = Shim(tmp_path, out)
    assert _writes(shim, out)[1][1:] == []
    assert shim.writes == 20, "ten files opened, ten written"
    shim.fail(after=3, calls=3, error=errno.ENOSPC)  # the second file's write, the third's opening, the fourth's
    assert _writes(shim, other)[1][1:] == []
    assert _writes(shim, out)[1][1:] == [f"{i} {errno.ENOSPC}" for i in (1, 2, 3)]
    assert shim.struck == 3


@needs_compiler
@pytest.mark.parametrize("torn", [False, True])
def test_the_shim_ends_a_process_before_a_write_or_in_its_middle(torn: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shim = Shim(tmp_path, out)
    shim.die(after=5, torn=torn)
    assert _writes(shim, out)[0] == -9
    assert sorted(p.name for p in out.iterdir()) == ["0", "1", "2"]
    assert (out / "2").read_bytes() == (b"1234" if torn else b"")


@needs_compiler
def test_the_shim_moves_the_clock(tmp_path: Path) -> None:
    import time

    out = tmp_path / "out"
    out.mkdir()
    shim = Shim(tmp_path, out)
    shim.jump(-86_400)
    told = float(_writes(shim, out)[1][0])
    assert told == pytest.approx(time.time() - 86_400, abs=30)
