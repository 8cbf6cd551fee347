"""Write docs/reference/ from the code; with --check, say which pages are not as the code has them, and exit 1."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.reference import commands, documents, files, python, reasons, schema  # noqa: E402
from scripts.reference.schemas import SCHEMAS  # noqa: E402

FOLDER = ROOT / "docs" / "reference"
PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": commands.make,
    "python.md": python.make,
    "pipeline.md": files.pipeline,
    "profile.md": files.profile,
    "source.md": files.source,
    "project.md": files.project,
    "exporters.md": files.exporters,
    "stages.md": files.stages,
    "schema.md": schema.make,
    "manifest.md": documents.make,
    "reasons.md": reasons.make,
    **{f"schemas/{name}.schema.json": make for name, make in SCHEMAS.items()},
}


def differing() -> list[str]:
    """Return the pages that are not as the code has them, and those that no longer belong there."""
    stale = [name for name, make in PAGES.items() if _read(name) != make()]
    there = (p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file())
    return stale + sorted(name for name in there if name not in PAGES)


def write() -> None:
    for name, make in PAGES.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(make(), encoding="utf-8")


def _read(name: str) -> str:
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        if stale := differing():
            sys.exit(
                f"docs/reference is not as the code has it ({', '.join(stale)}): run make reference, commit the pages"
            )
    else:
        write()
