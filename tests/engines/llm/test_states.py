from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ieat_data.engines.llm import states


def test_only_folders_of_dead_processes_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    alive = states.StateFolder()
    dead, young = tmp_path / "ieat-llamacpp-dead", tmp_path / "ieat-llamacpp-young"
    for folder in (dead, young):
        folder.mkdir()
        (folder / "lock").touch()
        (folder / "x.state").touch()
    for folder in (alive.path, dead):
        os.utime(folder, (0, 0))
    states.sweep(tmp_path)
    assert alive.path.is_dir()
    assert young.is_dir()
    assert not dead.exists()
