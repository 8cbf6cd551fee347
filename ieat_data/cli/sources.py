"""`ieat sources`: the corpora that are known, where they are looked for, and on which terms they may be used."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    app.command()(sources)


def sources() -> None:
    """List the known sources: found or not, licence, terms, and what to accept where."""
    from rich.console import Console
    from rich.table import Table

    from ieat_data import paths
    from ieat_data.config import load_source
    from ieat_data.errors import UserError

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("source", "language", "found", "licence", "terms"):
        table.add_column(column)
    for path in sorted((paths.manifests_dir() / "sources").glob("*.yaml")):
        source = load_source(path.stem)
        try:
            found = "yes" if source.path().is_dir() else f"no: {source.root}"
        except UserError:
            found = f"no: set {source.root}"
        licence = source.licence + (" (non-commercial)" if source.non_commercial else "")
        table.add_row(source.name, source.language, found, licence, source.terms)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)
