"""The files of a new project: `ieat.toml`, a source for each corpus, a pipeline over them, a README."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ieat_data.apps.own.found import Found
from ieat_data.errors import UserError
from ieat_data.paths import PROJECT_FILE

_CONFIGS = ("stage1_1", "stage1_2_empathy", "stage1_2_reasoning", "stage1_2_trajectory")


def source_of(found: Found, name: str, folder: Path) -> dict[str, Any]:
    """Return the source of a corpus; its root is seen from the project `folder` if it lies in it."""
    root: Path | str = found.place
    if isinstance(root, Path):
        home = folder.resolve()
        root = os.path.relpath(root, home) if root.is_relative_to(home) else str(root)
    return {
        "name": name,
        "reader": found.reader,
        "root": str(root),
        "language": found.language,
        "licence": "not said yet",
        "terms": "none",
        "non_commercial": False,
        **({"untranscribed": "asr"} if found.untranscribed else {}),
        **({"options": found.options} if found.options else {}),
    }


def files_of(name: str, sources: Sequence[tuple[Found, dict[str, Any]]]) -> dict[str, str]:
    """Return the text of each file, by its path in the project."""
    files = {PROJECT_FILE: f'name = "{name}"\n'}
    for found, source in sources:
        said = "".join(f"# {line}\n" for line in found.took)
        body = yaml.safe_dump(source, sort_keys=False, allow_unicode=True)
        licence = "# `licence`, `terms` and `non_commercial` go into the manifest of what you build: say what holds\n"
        files[f"manifests/sources/{source['name']}.yaml"] = f"{said}{licence}{body}"
    files[f"pipelines/{name}.yaml"] = _pipeline(name, sources)
    files["README.md"] = _readme(name, [source["name"] for _, source in sources])
    return files


def _pipeline(name: str, sources: Sequence[tuple[Found, dict[str, Any]]]) -> str:
    by_kind = {kind: [s["name"] for found, s in sources if found.kind == kind] for kind in ("speech", "text")}
    spec: dict[str, Any] = {
        "name": name,
        "sources": {kind: names for kind, names in by_kind.items() if names},
        "configs": list(_CONFIGS),
        "rows_per_shard": 64,
    }
    body = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)
    if by_kind["speech"]:
        body += "stages:\n  transcribe:\n    text_of_recorded: reference # your transcripts; asr: what the ASR hears\n"
    return body


def next_commands(name: str, sources: Sequence[str]) -> list[tuple[str, str]]:
    """Return the next three commands, to be given in the project, and what each does."""
    return [
        (f"ieat ingest {sources[0]} --out data/{sources[0]}", "read all of it: what is in it, what is broken"),
        (f"ieat build {name} --limit 3 --out data/try", "build the first three records with small real models"),
        ("ieat report data/try --out report", "a page to read and hear: open report/index.html"),
    ]


def _readme(name: str, sources: Sequence[str]) -> str:
    commands = next_commands(name, sources)
    width = max(len(command) for command, _ in commands)
    lines = "\n".join(f"    {command:<{width}}  # {what}" for command, what in commands)
    read = ", ".join(f"`manifests/sources/{s}.yaml`" for s in sources)
    return f"""# {name}
A project of ieat-data. Give these commands in this folder:

{lines}

The small models come once with `pip install 'ieat-data[cpu]'` and `ieat models fetch`.

- {read}: where the data lies and how it is read. Say its licence there.
- `pipelines/{name}.yaml`: what is built. `ieat plan {name}` says what a build would do and cost.
"""


def write(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write the files of a project and return those that are new. Nothing is written over.

    An `ieat.toml` and a README that are there already stay, so a project gets one more corpus.

    Raises:
        UserError: a source or a pipeline of that name is there already.
    """
    new = {path: text for path, text in files.items() if not os.path.lexists(folder / path)}
    if there := next((path for path in files if path not in new and path not in (PROJECT_FILE, "README.md")), None):
        raise UserError(f"{folder / there}: is there already, and nothing is written over; choose another --name")
    for path, text in new.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (folder / path).open("x", encoding="utf-8") as file:
            file.write(text)
    return [folder / path for path in new]
