"""`ieat sources`: the known corpora, where they are expected, and their terms of use."""

from __future__ import annotations

from pathlib import Path

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(sources)


def sources() -> None:
    """List the known sources: found or not, hours according to the authors, licence, and which terms to accept where.

    To see what a local one contains: ieat ingest SOURCE --out DIR
    """
    from rich.console import Console
    from rich.table import Table

    from ieat_data import paths
    from ieat_data.config import load_source
    from ieat_data.errors import UserError

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("source", "language", "found", "hours", "licence", "terms"):
        table.add_column(column, justify="right" if column == "hours" else "left")
    for path in sorted(paths.sources_dir().glob("*.yaml")):
        source = load_source(path.stem)
        try:
            place = source.path()
        except UserError:
            found = f"no: set {source.root}"
        else:
            found = _found(place) or f"no: {source.root}"
        licence = source.licence + (" (non-commercial)" if source.non_commercial else "")
        hours = f"{source.hours:,.0f}" if source.hours else ""
        table.add_row(source.name, source.language, found, hours, licence, source.terms)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _found(place: Path | str) -> str:
    """Return the number of files and bytes, or why they are unknown; "" if there is nothing."""
    from ieat_data.cli.cost import size
    from ieat_data.corpora.io.open import root_at
    from ieat_data.errors import UserError

    try:
        root = root_at(place)
        if not root.exists():
            return ""
        sizes = [entry.size for entry in root.walk()]
    except UserError as e:
        return f"no: {e}"
    return f"{len(sizes)} file{'s' if len(sizes) != 1 else ''}, {size(sum(sizes))}"
