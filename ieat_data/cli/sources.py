"""`ieat sources`: the known corpora, where they are expected, and their terms of use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from ieat_data.cli.as_json import json_option, put


def sources(
    as_json: Annotated[
        bool,
        json_option(
            "sources: for each name, language, root, found, files, bytes, why_not, hours, licence, non_commercial, "
            "terms"
        ),
    ] = False,
) -> None:
    """List the known sources: found or not, hours according to the authors, licence, and which terms to accept where.

    To see what a local one contains: ieat ingest SOURCE --out DIR
    """
    from ieat_data import paths

    listed = [_described(path.stem) for path in sorted(paths.sources_dir().glob("*.yaml"))]
    if as_json:
        put({"sources": listed})
        return
    from ieat_data.cli.cost import size
    from ieat_data.cli.show import escape, new_table, print_table

    table = new_table("source", "language", "found", "hours", "licence", "terms", right=("hours",))
    for one in listed:
        files = f"{one['files']} file{'s' if one['files'] != 1 else ''}"
        found = f"{files}, {size(one['bytes'])}" if one["found"] else f"no: {one['why_not']}"
        licence = one["licence"] + (" (non-commercial)" if one["non_commercial"] else "")
        hours = f"{one['hours']:,.0f}" if one["hours"] else ""
        table.add_row(*map(escape, (one["name"], one["language"], found, hours, licence, one["terms"])))
    print_table(table)


def _described(name: str) -> dict[str, Any]:
    from ieat_data.config import load_source

    source = load_source(name)
    keys = ("name", "language", "root", "hours", "licence", "non_commercial", "terms")
    return {**{key: getattr(source, key) for key in keys}, **_found(source)}


def _found(source: Any) -> dict[str, Any]:
    """Return whether the corpus is there, its files and bytes, or why they are unknown."""
    from ieat_data.corpora.io.open import root_at
    from ieat_data.errors import UserError

    nothing = {"found": False, "files": 0, "bytes": 0}
    try:
        place: Path | str = source.path()
    except UserError:
        return {**nothing, "why_not": f"set {source.root}"}
    try:
        root = root_at(place)
        sizes = [entry.size for entry in root.walk()] if root.exists() else []
    except UserError as e:
        return {**nothing, "why_not": str(e)}
    if not sizes:
        return {**nothing, "why_not": str(source.root)}
    return {"found": True, "files": len(sizes), "bytes": sum(sizes), "why_not": None}
