"""What a build does about bytes that have changed in its work folder: made or asked again, said, never believed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ieat_data.cli.build import make_plan
from ieat_data.dataset.verify import content_digest
from tests.support import corpora
from tests.support.in_process import build_here


class Folder(NamedTuple):
    """A finished build whose files a test may damage."""

    corpora: corpora.Corpora
    out: Path
    digest: str

    def build(self) -> None:
        c = self.corpora
        build_here(make_plan(c.pipeline, c.profile, self.out, None, [], None), self.out)

    def forget(self, *tables: str) -> None:
        """Remove tables, so that they are made again from the answers."""
        for name in tables:
            shutil.rmtree(self.table(name))

    def table(self, name: str) -> Path:
        (folder,) = (self.out / ".work" / "tables").glob(f"{name}-*")
        return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("finished")
    built = Folder(corpora.make(folder), folder / "out", "")
    built.build()
    return built._replace(digest=content_digest(built.out))


@pytest.fixture
def built(finished: Folder, tmp_path: Path) -> Iterator[Folder]:
    shutil.copytree(finished.out, tmp_path / "out")
    yield finished._replace(out=tmp_path / "out")
    shutil.rmtree(tmp_path / "out")


def test_damaged_answers_are_asked_again_and_told(built: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted((built.out / ".work" / "answers" / "respond").rglob("*.answers"))
    for path in files:
        path.write_bytes(path.read_bytes().replace(b'"stop"', b'"stpp"', 1))  # a byte of each file
    built.forget("respond", "stage1_1")
    built.build()
    assert content_digest(built.out) == built.digest
    said = capsys.readouterr().err
    assert said.count(": 1 stored answer was damaged: what the task needs is asked again") == len(files)
