"""A finished build in this process, for tests that damage its files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ieat_data.cli.build import make_plan
from tests.support import corpora
from tests.support.in_process import build_here


class Finished(NamedTuple):
    """A finished build, with the digest that it had."""

    corpora: corpora.Corpora
    out: Path
    digest: str

    def build(self, *sets: str) -> None:
        """Run the same `ieat build` again."""
        c = self.corpora
        build_here(make_plan(c.pipeline, c.profile, self.out, None, list(sets), None), self.out)

    @property
    def work(self) -> Path:
        return self.out / ".work"

    def table(self, name: str) -> Path:
        (folder,) = (self.work / "tables").glob(f"{name}-*")
        return folder

    def forget(self, *tables: str) -> None:
        """Remove tables: the next build makes them again, from what is left."""
        for name in tables:
            shutil.rmtree(self.table(name))

    def parts(self, table: str) -> list[Path]:
        return sorted(self.table(table).glob("part-*"))

    def shards(self, config: str = "stage1_1") -> list[Path]:
        """The published shards of a config."""
        return sorted((self.out / "data" / config).glob("*.parquet"))


def edit(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change a file's bytes where they are, as a failing disk does: all its hard links see it."""
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def flip(at: float) -> Callable[[bytearray], None]:
    """Flip a bit at a share of the length, 0 to 1."""

    def change(data: bytearray) -> None:
        data[int(at * (len(data) - 1))] ^= 4

    return change
