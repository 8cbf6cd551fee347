"""The project folder in Ray's workers and engines: its path if they run on this machine, else a copy sent by Ray.

Only what is read there is sent: YAML, prompts, modules and small text tables. Never a corpus, a dataset, an
environment or anything hidden.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ieat_data.errors import UserError
from ieat_data.paths import ORIGIN_VARIABLE, PROJECT_VARIABLE, project, use_project

_SENT = "IEAT_PROJECT_SENT"  # the name of the copy among what Ray puts on a worker's `sys.path`
_SUFFIXES = {".py", ".pyi", ".yaml", ".yml", ".toml", ".json", ".jsonl", ".txt", ".csv", ".tsv"}
_NEVER = {"data", "recordings", "decisions", "samples", "shards", "build", "dist", "node_modules", "__pycache__"}
_FILE_MB, _ALL_MB = 4, 64


@contextlib.contextmanager
def shipped_project(local: bool) -> Iterator[dict[str, Any]]:
    """Yield the arguments of `ray.init` with which workers find the project's modules and files.

    Args:
        local: the workers run on this machine, as children of this process.
    """
    folder = project()
    if folder is None:
        yield {}
    elif local:
        os.environ[PROJECT_VARIABLE] = str(folder)  # workers inherit it
        yield {}
    else:
        with tempfile.TemporaryDirectory(prefix="ieat-project-") as temporary:
            copy = Path(temporary) / "ieat_project"
            copy_project(folder, copy)
            variables = {_SENT: copy.name, ORIGIN_VARIABLE: str(folder)}
            yield {"runtime_env": {"py_modules": [str(copy)], "env_vars": variables}}


def arrive() -> None:
    """Use the copy that Ray brought to this worker as the project. Do nothing if none was sent."""
    if name := os.environ.get(_SENT):
        for folder in sys.path:
            if (Path(folder) / name / "ieat.toml").is_file():
                use_project(Path(folder) / name)
                return
        raise UserError("the project folder did not come with the build: does the cluster run the driver's Ray?")


def copy_project(folder: Path, to: Path) -> None:
    """Copy what workers read of a project.

    Raises:
        UserError: it is too large.
    """
    left = _ALL_MB << 20
    for path in _files(folder):
        left -= path.stat().st_size
        if left < 0:
            raise UserError(
                f"project {folder}: its modules, YAML and text files are over {_ALL_MB} MB, too much to send to a "
                f"cluster: move data out of the project, or into its folder data/"
            )
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            kept_out = path.name in _NEVER or (path / "pyvenv.cfg").exists() or (path / "manifest.json").exists()
            yield from () if kept_out else _files(path)
        elif path.suffix in _SUFFIXES and path.stat().st_size <= _FILE_MB << 20:
            yield path
