"""A wrong name is told with the nearest one, whatever option it was given to; a shell completes names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.cli.names import completing, exporters, pipelines, profiles
from ieat_data.cli.show import new_table, next_steps, print_table
from ieat_data.errors import UserError
from ieat_data.version import __version__
from tests.apps.review import made

WRONG = {
    "trajectory": ("show", "samples", "--task", "trajectry"),
    "en": ("show", "samples", "--language", "eng"),
    "any_reject": ("review", "samples", "--progress", "--rule", "any_rejects"),
    "reasoning": ("instructions", "propose", "--task", "reasonin", "--language", "en"),
    "zh": ("instructions", "propose", "--task", "reasoning", "--language", "zhe"),
    "ms-swift": ("export", "samples", "--to", "ms-swif", "--out", "o"),
    "stage1_2_empathy": ("export", "samples", "--to", "jsonl", "--out", "o", "--config", "stage1_2_empaty"),
    "sample-belle": ("ingest", "sample-bell", "--out", "o"),
    "stage1-2": ("build", "stage1-22", "--out", "o"),
    "replay": ("doctor", "--profile", "repley"),
    "whisper-base": ("models", "fetch", "whisper-bas"),
}


@pytest.mark.parametrize("meant", WRONG)
def test_a_wrong_name_is_told_with_the_nearest(meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made.dataset(tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"did you mean '{meant}'\?"):
        CliRunner().invoke(app, [*WRONG[meant]], catch_exceptions=False)


def test_what_a_dataset_lacks_is_told_with_what_it_has(tmp_path: Path) -> None:
    made.dataset(tmp_path)
    with pytest.raises(
        UserError, match=r"no sample with task trajectory \(task: empathy, reasoning; language: en, zh\)"
    ):
        CliRunner().invoke(app, ["show", str(tmp_path), "--task", "trajectory"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("tasks", "steps"),
    [
        ({"empathy": 2, "response": 3}, ["ieat show 'my data' --task empathy", "ieat verify 'my data'"]),
        ({"response": 3}, ["ieat show 'my data'", "ieat verify 'my data'"]),
        ({}, ["ieat report 'my data'"]),
    ],
)
def test_the_next_steps_work(tasks: dict[str, int], steps: list[str]) -> None:
    assert next_steps({"rows": sum(tasks.values()), "counts": {"task": tasks}}, "my data") == steps


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"ieat-data {__version__}\n"


def test_a_shell_completes_names() -> None:
    assert completing(pipelines)("stage1") == ["stage1-1", "stage1-2"]
    assert completing(profiles)("r") == ["replay"]
    assert completing(exporters)("ms") == ["ms-swift"]


@pytest.mark.long
def test_bash_asks_ieat_for_names() -> None:
    asked = {"_IEAT_COMPLETE": "complete_bash", "COMP_WORDS": "ieat build stage1-1 --profile re", "COMP_CWORD": "4"}
    code = "import sys; sys.argv = ['ieat']; from ieat_data.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True)
    assert done.stdout.split() == ["replay"], done.stderr


@pytest.mark.parametrize("columns", [60, 40, 200])
def test_no_table_is_wider_than_the_terminal_and_no_word_is_cut(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    words = ["synthesized_signal_quality", "1234567", "3 changed: stages.transcribe", "decontaminate_dialogues"]
    table: Table = new_table("table", "rows", "why", "stage")
    table.add_row(*words)
    print_table(table)
    told = capsys.readouterr().out
    assert all(len(line) <= columns for line in told.splitlines())
    assert all(word in told.split() for said in words for word in said.split())
    assert (len(told.splitlines()) == 2) == (columns == 200)
