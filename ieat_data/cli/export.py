"""`ieat export`: a dataset in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(export)


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder that ieat build wrote.")],
    to: Annotated[
        str,
        typer.Option(metavar="NAME", help="jsonl (plain messages and audio files), or one of your own: module:Class."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder for what is written.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Lay a value over the exporter's settings.")
    ] = None,
) -> None:
    """Write a dataset for another tool. What is left out is counted by reason; export.json says how it was made.

    Example: ieat export data/stage1-2 --to jsonl --out data/jsonl
    """
    from ieat_data.cli.places import on_disk
    from ieat_data.dataset.export.run import export as run
    from ieat_data.dataset.fetched import fetched

    about = run(fetched(folder), to, on_disk(out, "ieat export --out"), set_ or [])
    for config, n in about["rows"].items():
        typer.echo(f"{config}: {n} samples")
    for reason, n in about["left_out"].items():
        typer.echo(f"left out: {n} ({reason})")
    typer.echo(f"written to {out}")
