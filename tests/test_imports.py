"""The contracts of import-linter hold, and would find an import that runs the wrong way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLANTED = {
    "imports run one way": ("ieat_data/storage/planted.py", "from ieat_data.stages.base import Stage"),
    "no file imports itself in a circle": ("ieat_data/errors.py", "from ieat_data import config"),
    "the framework knows nothing of emotions, speakers or prompts": (
        "ieat_data/execution/planted.py",
        "from ieat_data.stages.speech.speakers import Voices",
    ),
}


def lint(folder: Path) -> str:
    """Return what import-linter says of the package in a folder."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("lint-imports"),
        "--no-cache",
        "--config",
        ROOT / "pyproject.toml",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(folder)})
    return done.stdout + done.stderr


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_import_that_runs_the_wrong_way_is_found(contract: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "ieat_data", tmp_path / "ieat_data", ignore=shutil.ignore_patterns("static", "__pycache__"))
    assert f"{contract} KEPT" in lint(tmp_path)
    file, line = PLANTED[contract]
    with (tmp_path / file).open("a", encoding="utf-8") as f:
        f.write(f"\n{line}\n")
    assert f"{contract} BROKEN" in lint(tmp_path)
