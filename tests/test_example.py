"""`examples/pipeline-repository` keeps its README's word: recorded with the tests' engines, checked by the workflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import corpora

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "pipeline-repository"


class Repository:
    """A copy of the example with a corpus, and `ieat` on the path as after an installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        shutil.copytree(EXAMPLE, self.folder)
        corpora.emilia_tar(self.folder / "corpus" / "EN-B000000.tar", corpora.EN, "en")
        bin_ = folder / "bin"
        bin_.mkdir()
        command = bin_ / "ieat"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ieat_data "$@"\n')
        command.chmod(0o755)
        self.env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        }

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]  # as the service runs it
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True)

    def step(self, name: str) -> str:
        workflow = yaml.safe_load((self.folder / ".github" / "workflows" / "sample.yml").read_text())
        (script,) = [s["run"] for s in workflow["jobs"]["sample"]["steps"] if s.get("name") == name]
        return str(script)

    def edit(self, file: str, **changed: Any) -> None:
        path = self.folder / file
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changed}))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Recorded by the commands of the README, with the tests' engines in place of the cpu profile's."""
    folder = tmp_path_factory.mktemp("example")
    made = Repository(folder)
    doubles = corpora.make(folder / "doubles").profile
    made.edit("replay.yaml", base=doubles)
    commands = [
        line.strip() for line in (EXAMPLE / "README.md").read_text().splitlines() if line.startswith("       ieat")
    ]
    assert len(commands) == 2
    for command in commands:
        done = made.run(command.replace("--profile cpu", f"--profile {doubles}"))
        assert done.returncode == 0, done.stderr
    shutil.rmtree(made.folder / "shards")
    shutil.rmtree(made.folder / "sample")
    return made


def test_the_workflow_passes_and_leaves_the_shards(repository: Repository) -> None:
    for name in ("Compare with the recording", "Build the sample shards"):
        done = repository.run(repository.step(name))
        assert done.returncode == 0, done.stderr
    assert "as recorded, digest" in (repository.folder / "check.txt").read_text()
    assert list((repository.folder / "sample" / "data" / "stage1_1").glob("*.parquet"))


def test_a_changed_setting_fails_it_and_the_summary_says_where(repository: Repository) -> None:
    before = (repository.folder / "pipeline.yaml").read_text()
    stages = yaml.safe_load(before).get("stages", {})
    repository.edit("pipeline.yaml", stages={**stages, "reorganise": {"share": 1.0}})
    done = repository.run(repository.step("Compare with the recording"))
    assert done.returncode == 1
    repository.run(repository.step("Say what differs"))
    summary = Path(repository.env["GITHUB_STEP_SUMMARY"]).read_text()
    assert "first stage to differ: reorganise" in summary
    assert "changed since it was made: pipeline.stages.reorganise" in summary
    (repository.folder / "pipeline.yaml").write_text(before)
