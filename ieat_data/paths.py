"""Where pipelines, prompts, manifests and recordings lie: the checkout's folders, or a wheel's copies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def project_root() -> Path:
    """The folder that holds `pipelines/`, `prompts/` and `manifests/`."""
    checkout = _PACKAGE.parent
    return checkout if (checkout / "pipelines").is_dir() else _PACKAGE / "_project"


def pipelines_dir() -> Path:
    return project_root() / "pipelines"


def profiles_dir() -> Path:
    return pipelines_dir() / "profiles"


def prompts_dir() -> Path:
    return project_root() / "prompts"


def manifests_dir() -> Path:
    return project_root() / "manifests"


def recordings_dir() -> Path:
    return project_root() / "recordings"


def prompt_hashes(globs: Iterable[str]) -> dict[str, str]:
    """sha256 of every file under `prompts/` that matches one of `globs`, by its path relative to `prompts/`."""
    root = prompts_dir()
    files = sorted({p for g in globs for p in root.glob(g) if p.is_file()})
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
