"""What a report's data files say, read as a browser reads them: as scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_CALL = re.compile(r"IEAT\.(report|chunk|texts|page)\((.*)\);\n", re.S)


def arguments(path: Path) -> Any:
    """The arguments of the one call that a data file is."""
    found = _CALL.fullmatch(path.read_text(encoding="utf-8"))
    assert found, f"{path} is not one call"
    return json.loads(f"[{found[2]}]")


def summary(report: Path) -> dict[str, Any]:
    said: dict[str, Any] = arguments(report / "data" / "report.js")[0]
    return said


def columns(report: Path, kind: str) -> dict[str, list[Any]]:
    """The whole index of a list, its codes resolved."""
    names = summary(report)["lists"][kind]["names"]
    found: dict[str, list[Any]] = {}
    for i, path in enumerate(sorted((report / "data" / kind).glob("index-*.js"))):
        said, n, chunk = arguments(path)
        assert (said, n) == (kind, i)
        for column, values in chunk.items():
            known = names.get(column)
            if known is not None:
                values = [[known[c] for c in v] if isinstance(v, list) else known[v] for v in values]
            found.setdefault(column, []).extend(values)
    return found


def rows(report: Path, kind: str) -> list[dict[str, Any]]:
    """The whole rows of a list."""
    found = []
    for i, path in enumerate(sorted((report / "data" / kind).glob("page-*.js"))):
        said, n, page = arguments(path)
        assert (said, n) == (kind, i)
        found += page
    return found


def texts(report: Path, kind: str) -> list[str]:
    """What a search looks through, a text for each row of a list."""
    found: list[str] = []
    for i, path in enumerate(sorted((report / "data" / kind).glob("text-*.js"))):
        said, n, chunk = arguments(path)
        assert (said, n) == (kind, i)
        found += chunk
    return found
