"""`ieat sources`: the corpora that are known, where they are looked for, and on which terms they may be used."""

from __future__ import annotations

from pathlib import Path

import typer


def register(app: typer.Typer) -> None:
    app.command()(sources)


def sources() -> None:
    """List the known sources: found or not, hours as the authors give them, licence, and what to accept where.

    What is in one that is here: ieat ingest SOURCE --out DIR
    """
    from rich.console import Console
    from rich.table import Table

    from ieat_data import paths
    from ieat_data.config import load_source
    from ieat_data.errors import UserError

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("source", "language", "found", "hours", "licence", "terms"):
        table.add_column(column, justify="right" if column == "hours" else "left")
    for path in sorted((paths.manifests_dir() / "sources").glob("*.yaml")):
        source = load_source(path.stem)
        try:
            found = _files(source.path()) if source.path().exists() else f"no: {source.root}"
        except UserError:
            found = f"no: set {source.root}"
        licence = source.licence + (" (non-commercial)" if source.non_commercial else "")
        hours = f"{source.hours:,.0f}" if source.hours else ""
        table.add_row(source.name, source.language, found, hours, licence, source.terms)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _files(path: Path) -> str:
    from ieat_data.cli.cost import size

    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return f"{len(files)} file{'s' if len(files) != 1 else ''}, {size(sum(p.stat().st_size for p in files))}"
