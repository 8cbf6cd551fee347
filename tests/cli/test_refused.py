"""What a user gets wrong is one line, told before anything is made, and a refused command leaves nothing behind."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ieat_data import cli
from ieat_data.config import EngineConfig, Profile
from ieat_data.errors import UserError
from ieat_data.stages.asking import prompts_of
from ieat_data.storage.open import at
from tests.apps.review import made

Said = Callable[..., tuple[int, str]]
BUILD = ("build", "stage1-2", "--profile", "replay")
PROPOSE = ("instructions", "propose", "--task", "reasoning", "--language", "en")
SAMPLES = "samples"  # a dataset in the working directory

WRITING = {
    "build --out": (*BUILD, "--out", "PLACE"),
    "build --work": (*BUILD, "--out", "o", "--work", "PLACE"),
    "build --manifest": (*BUILD, "--out", "o", "--manifest", "PLACE/m.json"),
    "build --record": ("build", "stage1-2", "--profile", "cpu", "--out", "o", "--record", "PLACE"),
    "ingest": ("ingest", "sample-belle", "--out", "PLACE"),
    "export": ("export", SAMPLES, "--to", "jsonl", "--out", "PLACE"),
    "report": ("report", SAMPLES, "--out", "PLACE"),
    "show --audio": ("show", SAMPLES, "--audio", "PLACE"),
    "diff --page": ("diff", SAMPLES, SAMPLES, "--page", "PLACE"),
    "doctor": ("doctor", "--no-calls", "--out", "PLACE"),
    "review": ("review", SAMPLES, "--port", "0", "--decisions", "PLACE"),
    "propose": (*PROPOSE, "--out", "PLACE/bank.jsonl"),
}


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Said:
    """Run `ieat` in a folder with a dataset and a file; give the exit code and its only line on stderr."""
    made.dataset(tmp_path / SAMPLES)
    (tmp_path / "file").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ieat_data.building.registry.missing", lambda role, _: ["engines: none is there"])

    def run(*args: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["ieat", *args])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        assert len(told.err.strip().splitlines()) == 1, told.err
        assert {p.name for p in tmp_path.iterdir()} == {SAMPLES, "file"}, "it left something behind"
        return int(end.value.code or 0), told.err.strip()

    return run


def pages() -> None:
    """Come upon what the pages need, so that `make check` skips the test where it is not installed."""
    for name in ("starlette", "uvicorn"):
        importlib.import_module(name)


@pytest.mark.parametrize("command", WRITING)
def test_an_output_that_is_a_file_is_told_before_anything_is_made(said: Said, command: str) -> None:
    if command == "review":
        pages()
    code, told = said(*(a.replace("PLACE", "file") for a in WRITING[command]))
    assert code in (1, 2)
    assert "file: a part of this path is a file" in told or "file/.work: a part" in told or "exists already" in told


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("command", WRITING)
def test_a_file_system_that_takes_no_folder_is_told_as_such(said: Said, command: str) -> None:
    if command == "review":
        pages()
    code, told = said(*(a.replace("PLACE", "/proc/x") for a in WRITING[command]))
    assert (code, told) == (1, "ieat: /proc/x: not permitted: change its owner or its mode, or name a folder elsewhere")


def test_an_empty_argument_is_no_working_directory(said: Said) -> None:
    told = said(*BUILD, "--out", "")
    assert told == (2, "ieat: the argument after '--out' is empty (a shell variable that is not set?)")


@pytest.mark.parametrize("command", [*WRITING, "explain"])
def test_a_name_that_is_not_utf8_is_told(said: Said, command: str) -> None:
    args = {**WRITING, "explain": ("explain", SAMPLES, "PLACE")}[command]
    code, told = said(*(a.replace("PLACE", "b\udcff") for a in args))
    assert code == 2
    assert "not UTF-8" in told and r"b\udcff" in told


def test_a_working_directory_that_is_not_utf8_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b\udcff").mkdir()
    monkeypatch.chdir(tmp_path / "b\udcff")
    with pytest.raises(UserError, match="not UTF-8: rename it"):
        at("out")


def test_what_a_terminal_cannot_show_is_an_escape_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.dataset(tmp_path / SAMPLES)
    with (tmp_path / "shown").open("w", encoding="ascii") as ascii_only:
        monkeypatch.setattr(sys, "stdout", ascii_only)
        monkeypatch.setattr(sys, "argv", ["ieat", "show", str(tmp_path / SAMPLES), "--language", "zh"])
        with pytest.raises(SystemExit) as end:
            cli.main()
    assert not end.value.code
    assert r"\u25cf" in (tmp_path / "shown").read_text("ascii")


@pytest.mark.parametrize("page", [("review", SAMPLES), ("report", SAMPLES, "--serve")], ids=["review", "report"])
@pytest.mark.parametrize("absent", ["starlette", "uvicorn"])
def test_a_page_without_its_extra_names_the_extra(
    said: Said, absent: str, page: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages()
    for name in [m for m in sys.modules if m.startswith("ieat_data.apps.") or m.partition(".")[0] == absent]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, absent, None)
    told = said(*page, "--port", "0")
    assert told == (2, f"ieat: {absent} is not installed, which this needs: pip install 'ieat-data[review]'")


def test_a_model_without_a_descriptor_is_told_with_the_known_ones() -> None:
    mine = Profile(name="mine", engines={"llm": EngineConfig(engine="my:LLM")})
    with pytest.raises(UserError, match=r"profile mine: engines.llm.settings has no `descriptor`.*qwen3"):
        prompts_of(mine)


def test_a_refused_export_leaves_no_partial_folder(said: Said) -> None:
    code, told = said("export", SAMPLES, "--to", "jsonl", "--out", "o", "--descriptor", "qwen")
    assert code == 2 and "did you mean 'qwen3'?" in told


def test_a_build_whose_engines_are_missing_leaves_no_folder(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ieat_data.execution.plan.registry.identity", lambda *_: {"exact": True, "grade": None})
    told = said("build", "stage1-1", "--profile", "cpu", "--out", "o")
    assert told == (2, "ieat: engines: none is there")
