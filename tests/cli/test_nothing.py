"""A build without a sample, and a corpus without a row, say what took the rows and do not end as if all were well."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.dataset.nothing import why_nothing
from ieat_data.dataset.verify import samples, verify
from tests.support import corpora
from tests.support.doubles import clip_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five clips whose table says something else than is heard in them."""
    (tmp_path / "clips").mkdir()
    lines = ["audio,text"]
    for i, text in enumerate(corpora.EN[:5]):
        (tmp_path / "clips" / f"{i}.flac").write_bytes(clip_of(text))
        lines.append(f"{i}.flac,Nobody ever says what stands in this line here.")
    (tmp_path / "clips" / "meta.csv").write_text("\n".join(lines))
    profile = yaml.safe_load(Path(corpora.make(tmp_path / "doubles").profile).read_text()) | {"executor": "local"}
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init", ".", "--audio", "clips", "--name", "mine"]).exit_code == 0
    Path("profile.yaml").write_text(yaml.safe_dump(profile))
    return tmp_path


def data_of(page: Path) -> dict[str, Any]:
    text = (page / "data" / "report.js").read_text()
    found: dict[str, Any] = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    return found


@pytest.mark.long
@pytest.mark.usefixtures("project")
def test_a_build_without_a_sample_names_the_stage_and_the_reason() -> None:
    done = CliRunner().invoke(app, ["build", "mine", "--profile", "./profile.yaml", "--out", "out dir"])
    assert done.exit_code == 1, done.output
    assert "ieat: no sample came out: transcribe rejected 5 of 5: asr_mismatch" in done.stderr.splitlines()
    (following,) = (line for line in done.stdout.splitlines() if line.startswith("next"))
    command = shlex.split(following.partition("(")[0])[1:]
    done = CliRunner().invoke(app, command[1:])
    assert done.exit_code == 0, done.output
    said = data_of(Path("out dir-report"))
    assert said["nothing"] == "transcribe rejected 5 of 5: asr_mismatch"
    assert said["lists"]["rejected"]["rows"] == 5


@pytest.mark.long
@pytest.mark.usefixtures("project")
def test_clips_without_transcripts_become_samples_of_what_the_asr_hears() -> None:
    Path("clips/meta.csv").unlink()
    assert CliRunner().invoke(app, ["init", ".", "--audio", "clips", "--name", "untold"]).exit_code == 0
    asked = ["build", "untold", "--profile", "./profile.yaml", "--set", "configs=[stage1_1]", "--out", "out"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    rows = list(samples(Path("out")))
    assert {row["messages"][0]["transcript"] for row in rows} <= set(corpora.EN[:5]) and rows
    (of,) = rows[0]["provenance"]["utterances"]
    assert (of["corpus_text"], of["error_rate"]) == ("", None)
    assert verify(Path("out"), deep=True) == []


@pytest.mark.long
@pytest.mark.usefixtures("project")
def test_a_corpus_without_a_row_names_the_reason() -> None:
    for clip in Path("clips").glob("*.flac"):
        clip.write_bytes(b"no clip")
    command = [sys.executable, "-m", "ieat_data", "ingest", "mine", "--out", "read"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("ieat:"))
    assert "gave no row. mine: 0 of 5 records are used; rejected: 5 undecodable_audio" in said


def stage(ok: int, **rejects: int) -> dict[str, Any]:
    return {"ok": ok, "rejects": rejects, "shards": 1}


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ({"ingest": stage(3, a=1), "respond": stage(0, loop=2, b=1)}, "respond rejected 3 of 3: 2 loop, 1 b"),
        ({"ingest": stage(1), "reorganise": stage(0), "questions": stage(0)}, "reorganise made no row of what it got"),
        (
            {"queries": stage(0, code=2), "ingest": stage(5), "transcribe": stage(0, no_speech=5)},
            "queries rejected 2 of 2: code; transcribe rejected 5 of 5: no_speech",
        ),
        ({"a": stage(0, k=1, j=1, i=1, h=1)}, "a rejected 4 of 4: 1 h, 1 i, 1 j, …"),
    ],
)  # fmt: skip
def test_which_stage_took_the_last_rows(stages: dict[str, Any], said: str) -> None:
    assert why_nothing({"rows": 0, "stages": stages}) == said
    assert why_nothing({"rows": 1, "stages": stages}) == ""
