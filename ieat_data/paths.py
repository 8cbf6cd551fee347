"""Where pipelines, prompts, sources and recordings are: what the package ships, overlaid by a user's project folder.

A project folder has an `ieat.toml`. `--project` (or IEAT_PROJECT) names it; the default is the working directory, if
that has one. File by file, its files replace those that the package ships under the same names. Output is written into
the project, or without one into the working directory, never into the package.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ieat_data.errors import UserError

PROJECT_FILE = "ieat.toml"
PROJECT_VARIABLE = "IEAT_PROJECT"  # engines and Ray workers read it too
# the original place of the project of which IEAT_PROJECT is a copy (in a cluster's workers): corpora are there
ORIGIN_VARIABLE = "IEAT_PROJECT_FROM"
_PACKAGE = Path(__file__).resolve().parent


def use_project(folder: Path) -> None:
    """Make `folder` the project of this process and of its child processes.

    Raises:
        UserError: it is not a project.
    """
    os.environ[PROJECT_VARIABLE] = str(folder.absolute())
    project()


def project() -> Path | None:
    """Return the user's project folder, if there is one.

    Raises:
        UserError: IEAT_PROJECT names a folder that is not a project.
    """
    named = os.environ.get(PROJECT_VARIABLE)
    folder = Path(named).expanduser().absolute() if named else Path.cwd()
    if (folder / PROJECT_FILE).is_file():
        return folder
    if named:
        raise UserError(
            f"project {folder}: there is no {PROJECT_FILE}, which makes a folder a project: "
            f'write one with the line name = "my-project"'
        )
    return None


def home() -> Path:
    """Return the folder for files that a user creates: the project folder, else the working directory."""
    return project() or Path.cwd()


def shipped() -> Path:
    """Return the folder that the package ships: a checkout's, or a wheel's copy."""
    checkout = _PACKAGE.parent
    return checkout if (checkout / "pipelines").is_dir() else _PACKAGE / "_project"


@dataclass(frozen=True)
class Layers:
    """Overlaid folders, the topmost first: a file comes from the first folder that has it."""

    folders: tuple[Path, ...]

    def __truediv__(self, name: str) -> Path:
        """Return the topmost file or folder of this name; if there is none, its path in the topmost layer."""
        paths = [folder / name for folder in self.folders]
        return next((path for path in paths if path.exists()), paths[0])

    def __str__(self) -> str:
        return " or ".join(map(str, self.folders))

    def glob(self, pattern: str) -> list[Path]:
        """Return the files and folders that match, each name once, sorted by name."""
        found: dict[str, Path] = {}
        for folder in self.folders:
            for path in folder.glob(pattern):
                found.setdefault(path.relative_to(folder).as_posix(), path)
        return [path for _, path in sorted(found.items())]

    def hashes(self, globs: Iterable[str]) -> dict[str, str]:
        """Return the sha256 of every file that matches one of `globs`, by its name below the folders."""
        names = {
            path.relative_to(folder).as_posix()
            for pattern in globs
            for folder in self.folders
            for path in folder.glob(pattern)
            if path.is_file()
        }
        return {name: hashlib.sha256((self / name).read_bytes()).hexdigest() for name in sorted(names)}


Folder = Path | Layers


def layers(name: str) -> Layers:
    """Return a folder of the project over the package's."""
    mine, origin = project(), os.environ.get(ORIGIN_VARIABLE)
    folders = (mine, Path(origin) if origin else None, shipped())
    return Layers(tuple(folder / name for folder in folders if folder is not None))


def pipelines_dir() -> Layers:
    """Return the folder of pipelines."""
    return layers("pipelines")


def profiles_dir() -> Layers:
    """Return the folder of profiles."""
    return layers("pipelines/profiles")


def prompts_dir() -> Layers:
    """Return the folder of prompts."""
    return layers("prompts")


def sources_dir() -> Layers:
    """Return the folder of sources."""
    return layers("manifests/sources")


def recordings_dir() -> Layers:
    """Return the folder of recordings."""
    return layers("recordings")


def prompt_hashes(globs: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of every prompt file that matches one of `globs`, by its path relative to `prompts/`."""
    return prompts_dir().hashes(globs)
