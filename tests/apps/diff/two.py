"""Two datasets of the same ids: some samples are the same, some were written anew, one of each task is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.apps.review import made
from tests.support.hostile import HOSTILE

WAS, IS = "Say it plainly.\nOne sentence.\n", "Say it plainly.\nTwo sentences.\n"


def edit(folder: Path, **changes: Any) -> None:
    """Change parts of a manifest."""
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def stage(says: dict[str, str] | None = None, **rejects: int) -> dict[str, Any]:
    return {"table": "t", "shards": 1, "rows": 9, "ok": 1, "rejects": rejects, "says": says or {}}


def two(folder: Path) -> tuple[Path, Path]:
    """Write both. The first sample of each task is hostile; those of `b` differ in one word, and in their setting."""
    a = made.dataset(folder / "a", n=4, text="I lost my keys on the bus.")
    b = made.dataset(folder / "b", n=3, text="I lost my umbrella on the bus.")
    edit(a, stages={"respond": stage(number=2)}, pipeline={"name": "made", "note": HOSTILE[0]}, prompts={})
    stages = {"respond": stage({"number": "A number was spoken."}, number=5)}
    edit(b, stages=stages, pipeline={"name": "made", "note": f"no {HOSTILE[0]}"}, prompts={})
    return a, b
