"""What was read of each source: in the commit records, in the manifest, in one line at the end. In this process."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.cli.build import make_plan
from ieat_data.errors import BuildStopped
from ieat_data.execution.read import said
from tests.support import corpora
from tests.support.in_process import build_here


def source(folder: Path, reader: str = "emilia", language: str = "en") -> str:
    spec = {"name": "s", "reader": reader, "root": str(folder / "corpus"), "language": language}
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump({**spec, "licence": "CC0", "terms": "none", "non_commercial": False}))
    return str(path)


def test_ingest_ends_with_what_was_lost_and_what_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "corpus/EN-B000000.tar"
    corpora.emilia_tar(path, corpora.EN, "en", [("notes.txt", b"x")])
    data = bytearray(path.read_bytes())
    start = data.find(b"EN_B00000_S00000_W000002.json")
    end = data.find(b"EN_B00000_S00000_W000004.json")
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    (tmp_path / "corpus/.cache").mkdir()
    (tmp_path / "corpus/.cache/x").write_bytes(b"")
    out = tmp_path / "out"
    command = ["ingest", source(tmp_path), "--out", str(out), "--rows-per-shard", "2"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    line = next(x for x in done.output.splitlines() if x.startswith("s: "))
    assert line.startswith("s: 6 of 7 records are used; rejected: 1 damaged_archive; lost: ")
    assert f"at EN-B000000.tar: bytes {start} to {end} (a broken download" in line
    assert "1 hidden file, 1 member of an archive that is no clip or JSON (EN-B000000.tar: notes.txt)" in line
    read = json.loads((out / "statistics.json").read_text())["read"]
    marks = sum(e["bytes"] for code, e in read["told"].items() if code in ("end_mark", "other_member"))
    assert read["bytes"] + marks == path.stat().st_size
    assert "unaccounted" not in read["told"]
    again = CliRunner().invoke(app, command)
    assert line in again.output.splitlines()


@pytest.mark.parametrize("rows", [2, 100])
def test_a_source_that_gives_no_row_is_an_error_also_when_the_command_is_repeated(tmp_path: Path, rows: int) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/1.tar").write_bytes(bytes(1 << 20))
    for _ in range(2):
        done = CliRunner().invoke(app, ["ingest", source(tmp_path), "--out", str(tmp_path / "out")])
        assert isinstance(done.exception, BuildStopped)
        message = str(done.exception)
        assert "source 's': gave no row" in message and "1 damaged_archive" in message and "fetch" in message


def test_a_source_without_a_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/1.tar").write_bytes(bytes(10240))  # an archive of nothing
    done = CliRunner().invoke(app, ["ingest", source(tmp_path), "--out", str(tmp_path / "out")])
    assert f"{tmp_path}/corpus: holds no record" in str(done.exception)
    corpora.emilia_tar(tmp_path / "corpus/2.tar", corpora.EN, "en")
    done = CliRunner().invoke(app, ["ingest", source(tmp_path), "--out", str(tmp_path / "out")])
    assert "s: 8 of 8 records are used; not read: 1 file without a record (1.tar)" in done.output


@pytest.mark.long
def test_the_manifest_says_what_was_read_of_each_source(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 4)
    (tmp_path / "emilia-en/readme").write_text("x")
    (tmp_path / "emilia-zh/raw.mp3").write_bytes(b"x")
    plan = make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None)
    read = {s["name"]: s["read"] for s in build_here(plan, tmp_path / "out")["sources"]}
    assert read["t-emilia-en"]["records"] == read["t-emilia-en"]["ok"] == 4
    assert read["t-emilia-en"]["told"]["other_file"] == {"n": 1, "bytes": 1, "such_as": ["readme"]}
    assert said("t-emilia-zh", read["t-emilia-zh"]) == (
        "t-emilia-zh: 4 of 4 records are used; not read: 1 audio file that no row is made of"
    )
    assert read["t-belle"]["bytes"] == (tmp_path / "belle/train_3.5M_CN.json").stat().st_size


def test_names_that_are_not_utf8_are_told_and_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe4"))
    corpora.emilia_tar(root / "1.tar", corpora.EN, "en")
    for name in (b"/\xff.txt", b"/\xfe"):
        Path(os.fsdecode(os.fsencode(root) + name)).write_bytes(b"x")
    path = Path(source(tmp_path))
    monkeypatch.setenv("A_ROOT", str(root))
    path.write_text(path.read_text().replace(str(tmp_path / "corpus"), "${A_ROOT}"))
    done = CliRunner().invoke(app, ["ingest", str(path), "--out", str(tmp_path / "out")])
    assert "s: 8 of 8 records are used; not read: 2 files of other kinds (?, ?.txt)" in done.output, done.exception


READER = """
from ieat_data.corpora.io.base import QueryRecord
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.units import Unit

class Own:
    kind = "text"

    def __init__(self, root, language):
        self.root = root_at(root)

    def plan(self, rows_per_unit):
        yield Unit("q.csv", 0, 0, 1, 0)

    def read(self, unit):
        with self.root.open(unit.path) as file:
            yield QueryRecord("k", file.read(0, 100).decode())
"""


def test_a_reader_of_ones_own_has_its_names_told_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/q.csv").write_text("I passed the exam and I still cannot believe it!")
    (tmp_path / "corpus/r.csv").write_text("not read")
    (tmp_path / "own_reader_of_a_test.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    path = source(tmp_path, "own_reader_of_a_test:Own")
    done = CliRunner().invoke(app, ["ingest", path, "--out", str(tmp_path / "out")])
    assert "s: 1 of 1 records are used; not read: 1 file of another kind (r.csv)" in done.output, done.output
