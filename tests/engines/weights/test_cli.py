"""`ieat models`, as it is typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ieat_data import paths
from ieat_data.cli.models import app
from ieat_data.engines.weights import status
from ieat_data.errors import UserError
from tests.engines.weights.conftest import Site

PROFILE = """
name: test
engines:
  llm: {engine: llama_cpp, settings: {model: tiny, threads: 2}}
  asr: {engine: faster_whisper, settings: {model: /my/own/folder}}
  tts: {engine: kokoro, settings: {voices_model: tiny}}
"""


def test_list_shows_the_state(site: Site) -> None:
    before = CliRunner().invoke(app, ["list"])
    assert before.exit_code == 0 and "not fetched" in before.stdout and "MIT" in before.stdout
    site.put_tiny()
    after = CliRunner().invoke(app, ["list"])
    assert "ready" in after.stdout and "not fetched" not in after.stdout


@pytest.mark.long
def test_fetch_for_a_profile(site: Site, tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(PROFILE)
    result = CliRunner().invoke(app, ["fetch", "--for", str(profile)])
    assert result.exit_code == 0 and status("tiny") == "ready"
    assert "/my/own/folder: not in the catalogue" in result.output


def test_a_profile_that_replays_needs_no_model(site: Site, tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(PROFILE + "recording: ./anything\n")
    assert CliRunner().invoke(app, ["fetch", "--for", str(profile)]).exit_code == 0
    assert status("tiny") == "missing"


@pytest.mark.long
def test_fetch_without_names_is_for_the_cpu_profile(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.yaml").write_text(PROFILE)
    monkeypatch.setattr(paths, "profiles_dir", lambda: tmp_path)
    assert CliRunner().invoke(app, ["fetch"]).exit_code == 0
    assert status("tiny") == "ready"


def test_user_errors_go_to_the_caller(site: Site) -> None:
    assert isinstance(CliRunner().invoke(app, ["fetch", "tinny"]).exception, UserError)
    assert isinstance(CliRunner().invoke(app, ["fetch", "--for", "no-such"]).exception, UserError)


def test_the_module_imports_nothing_heavy() -> None:
    code = "import sys, ieat_data.cli.models; print({'pydantic', 'yaml', 'numpy', 'filelock'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
