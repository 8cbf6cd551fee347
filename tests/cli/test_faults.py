"""What the file system refuses is one line, in every command."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer

from ieat_data import cli, logs
from ieat_data.cli import faults

SAMPLE = ("stage1-2", "--profile", "replay")
PROPOSE = ("instructions", "propose", "--task", "reasoning", "--language", "en")


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["ieat", *args])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0), capsys.readouterr().err


COMMANDS = {
    "build": lambda p: ("build", *SAMPLE, "--out", p),
    "build --work": lambda p: ("build", *SAMPLE, "--out", "out", "--work", p),
    "plan": lambda p: ("plan", *SAMPLE, "--out", p),
    "status": lambda p: ("status", p),
    "ingest": lambda p: ("ingest", "belle", "--out", p),
    "verify": lambda p: ("verify", p),
    "digest": lambda p: ("digest", p),
    "show": lambda p: ("show", p),
    "export": lambda p: ("export", p, "--to", "jsonl", "--out", "exported"),
    "report": lambda p: ("report", p),
    "review": lambda p: ("review", p),
    "explain": lambda p: ("explain", p, "0" * 32),
    "diff": lambda p: ("diff", p, p),
    "push": lambda p: ("push", p, "me/mine"),
    "init": lambda p: ("init", p, "--text", "queries.txt"),
    "check": lambda p: ("check", *SAMPLE, "--manifest", p),
    "doctor": lambda p: ("doctor", "--no-calls", "--out", p),
    "instructions check": lambda p: ("instructions", "check", p),
    "instructions propose": lambda p: (*PROPOSE, "--out", p),
}
PATHLESS = {"sources", "models list", "models fetch", "instructions list"}


def commands(group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        yield from commands(command, f"{before}{name} ") if hasattr(command, "commands") else [before + name]


def test_no_command_with_a_path_is_left_out_here() -> None:
    listed = {name.partition(" --")[0] for name in COMMANDS}
    assert listed == set(commands(typer.main.get_command(cli.app))) - PATHLESS


@pytest.mark.parametrize("fault", ["below a file", "too long"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_path_that_cannot_be_is_one_line_in_each_command(
    command: str, fault: str, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "queries.txt").write_text("Why does nobody ever call me back?\n")
    path = tmp_path / "file" / "out" if fault == "below a file" else tmp_path / ("x" * 300)
    code, told = said(capsys, monkeypatch, *COMMANDS[command](str(path)))
    assert code in (1, 2)
    assert "Traceback" not in told
    assert told.startswith("ieat: ") or "Usage: " in told, told
    assert len(told.strip().splitlines()) == 1 or "Usage: " in told, told


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT, errno.ESTALE])
def test_what_a_disk_refuses_is_one_line_with_the_place_and_what_to_do(
    number: int, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(path: Any, *_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    code, told = said(capsys, monkeypatch, "build", *SAMPLE, "--out", str(tmp_path / "out"))
    assert code == 1
    (only,) = told.strip().splitlines()
    what, do = faults._WORDS[number]
    assert only == f"ieat: {tmp_path / 'out'}: {what}: {do}"


def test_a_full_disk_that_pyarrow_meets_is_told_as_well() -> None:
    try:
        with pa.OSFile("/dev/full", "wb") as file:
            file.write(b"x" * 100_000)
    except OSError as e:
        told = faults.line(e)
    assert told.startswith("no space left on its disk (")


def test_an_exception_that_is_no_refusal_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ieat", "verify", "x"])
    monkeypatch.setattr("ieat_data.dataset.verify.verify", lambda *_: (_ for _ in ()).throw(OSError("a bug")))
    with pytest.raises(OSError, match="a bug"):
        cli.main()


def test_a_log_on_a_full_disk_stops_nothing_and_says_nothing(capsys: Any) -> None:
    with logs.kept_in(Path("/dev/full")):
        logging.getLogger("ieat_data.x").warning("y")
    assert "Logging error" not in capsys.readouterr().err
