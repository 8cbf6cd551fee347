"""`--json`: one object on stdout and nothing else, with the keys that the option's help names."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ieat_data.cli import app
from tests.support import corpora
from tests.support.finished import Finished

INSTRUCTIONS = '{"id": "reasoning-en-001", "text": "Why?", "status": "checked", "origin": "mine"}\n'


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(*args: str, exit_code: int = 0) -> dict[str, Any]:
    """Run a command with `--json`; give its object, whose keys are those of its help."""
    done = CliRunner().invoke(app, [*args, "--json"])
    assert done.exit_code == exit_code, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    command: Any = typer.main.get_command(app)
    for word in args:
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
    (option,) = [p for p in command.params if "--json" in p.opts]
    listed = option.help.partition("with the keys ")[2].rstrip(".").partition(":")[0].partition(";")[0]
    assert set(re.findall(r"\w+", listed)) <= set(found), option.help
    assert "more of" in option.help or set(found) <= set(re.findall(r"\w+", option.help)), option.help
    return found


def test_every_command_has_it() -> None:
    def options(group: Any) -> Iterator[set[str]]:
        for command in group.commands.values():
            found = {opt for param in command.params for opt in param.opts}
            yield from options(command) if hasattr(command, "commands") else [found]

    assert all("--json" in found for found in options(typer.main.get_command(app)))


def test_looking_at_a_dataset(finished: Finished) -> None:
    out = str(finished.out)
    assert told("digest", out) == {"folder": out, "content_digest": finished.digest}
    sound = told("verify", out)
    assert sound["sound"] and sound["faults"] == [] and sound["samples"] > 0 and sound["shards"] > 0
    (one,) = told("show", out)["samples"]
    assert one["messages"] and one["audios"][0]["size"] > 0 and "bytes" not in one["audios"][0]
    assert told("explain", out, one["id"])["samples"][0]["id"] == one["id"]
    tables = told("status", out)["tables"]
    assert {"table", "shards", "there", "rows", "rejected", "why", "to_read"} == set(tables[0])
    assert told("report", out, "--out", "page")["samples"] == sound["samples"]
    assert Path("page/index.html").is_file()
    exported = told("export", out, "--to", "jsonl", "--out", "rows")
    assert sum(exported["rows"].values()) == sound["samples"]
    finished.shards()[0].unlink()
    broken = told("verify", out, exit_code=1)
    assert not broken["sound"] and len(broken["faults"]) >= 1 and broken["samples"] is None


def test_the_progress_of_a_review(finished: Finished) -> None:
    importlib.import_module("starlette")  # of an extra
    out = str(finished.out)
    assert told("review", out, "--progress", "--decisions", "d")["items"] == told("verify", out)["samples"]


def test_what_is_known_without_a_build() -> None:
    names = {one["name"]: one for one in told("sources")["sources"]}
    assert names["sample-belle"]["found"] and names["sample-belle"]["files"] > 0
    assert {"dnsmos", "whisper-base"} <= {one["name"] for one in told("models", "list")["models"]}
    banks = told("instructions", "list")["banks"]
    assert {(b["task"], b["language"]) for b in banks} >= {("reasoning", "en"), ("trajectory", "zh")}
    assert all(b["all"] >= b["checked"] for b in banks)
    Path("reasoning.en.jsonl").write_text(INSTRUCTIONS)
    (bank,) = told("instructions", "check", "reasoning.en.jsonl", "--at-least", "2", exit_code=1)["banks"]
    assert bank["instructions"] == 1 and any("expected at least 2" in fault for fault in bank["faults"])
    assert told("doctor", "--no-calls", "--profile", "replay")["ok"]
    assert told("plan", "stage1-2", "--profile", "gpu", "--rows", "1k")["cost"]["stages"]


def test_an_ingest_and_a_build(finished: Finished, tmp_path: Path) -> None:
    corpora.make(tmp_path, 4)
    read = told("ingest", str(tmp_path / "sources" / "belle.yaml"), "--out", "read")
    assert (read["rows"], read["read"]["records"]) == (4, 4)
    of = finished.corpora
    made = told("build", str(of.pipeline), "--profile", str(of.profile), "--out", str(finished.out))
    assert made["rows"] == sum(c["rows"] for c in made["configs"].values()) > 0
    assert made["content_digest"] == finished.digest
    assert json.loads(Path(made["manifest"]).read_text())["rows"] == made["rows"]
    assert made["measured"]["llm"]["measured"]["requests"] > 0
