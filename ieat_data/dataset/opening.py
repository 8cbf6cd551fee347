"""A finished dataset, opened by its manifest. Loads no stage and no engine: a trainer's workers import it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ieat_data.data import schema
from ieat_data.dataset.verification import form
from ieat_data.errors import UserError
from ieat_data.hashing import fingerprint

MANIFEST = "manifest.json"


def load_manifest(out: Path) -> dict[str, Any]:
    """Return the manifest of an output folder, or one elsewhere that leads there by its `root`.

    Raises:
        UserError: there is none, or it is another version's.
    """
    path = out / MANIFEST if out.is_dir() else out
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{out}: holds or is no {MANIFEST}: not an output folder, or its build has not ended") from None
    except OSError as e:
        raise UserError(f"{path}: cannot be read: {e.strerror}") from None
    return parse_manifest(data, str(path))


def parse_manifest(data: bytes, path: str) -> dict[str, Any]:
    """Return what the bytes of a manifest say. `path`: where they stand, for errors.

    Raises:
        UserError: it is none, or another version's.
    """
    try:
        made = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise UserError(f"{path}: not JSON: {e}") from None
    if not isinstance(made, dict):
        raise UserError(f"{path}: not a manifest")
    if wrong := _other_version(made.get("schema_version")) or form.fault(made):
        raise UserError(f"{path}: {wrong}")
    return made


def _other_version(version: Any) -> str | None:
    if version == schema.VERSION:
        return None
    if type(version) is not int or not 0 < version < 1000:
        return f"not a manifest of schema version {schema.VERSION}"
    if version < schema.VERSION:
        return (
            f"schema version {version}, but this ieat-data reads {schema.VERSION} "
            "(docs/reference/schema.md): build the dataset again (its work folder keeps the models' answers), or read "
            "it with the ieat-data that wrote it"
        )
    return f"schema version {version} is newer than this ieat-data reads ({schema.VERSION}): update ieat-data"


def root(out: Path, made: Mapping[str, Any]) -> Path:
    """Return the output folder of a manifest: `out` itself, or where a manifest file leads."""
    return out if out.is_dir() else out.parent / made.get("root", "")


def manifest_digest(made: Mapping[str, Any]) -> str:
    """Return the digest of all that a manifest says, which it carries as `digest`."""
    return fingerprint({k: v for k, v in made.items() if k != "digest"})
