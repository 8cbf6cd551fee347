"""An export of the sample, and what its trainer says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ieat_data.dataset.export.checking.run import check
from ieat_data.dataset.export.run import export


def agrees(data: Path, to: str, out: Path, options: dict[str, Any], **check_settings: Any) -> dict[str, Any]:
    """Export `data`, and check it through the trainer; a row that differs is a UserError. Return `export.json`."""
    about = export(data, to, out, _assignments(options))
    told = list(check(data, out, _assignments(check_settings)))
    assert sum(int(line.split(": ")[1].split()[0]) for line in told) == about["conversations"] > 0
    return about


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _assignments(values: dict[str, Any]) -> list[str]:
    return [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in values.items()]
