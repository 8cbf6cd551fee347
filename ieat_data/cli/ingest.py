"""`ieat ingest`: one source as a normalized table, with statistics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.build import LimitOpt
from ieat_data.cli.names import completing, sources

if TYPE_CHECKING:
    from ieat_data.apps.ingest.statistics import Statistics


def ingest(
    source: Annotated[
        str,
        typer.Argument(
            help="A name under manifests/sources/ or a path to a YAML file.", autocompletion=completing(sources)
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for table, statistics and picture.")],
    limit: LimitOpt = None,
    rows_per_shard: Annotated[int, typer.Option(min=1, help="Records per shard.")] = 2048,
    as_json: Annotated[
        bool,
        json_option(
            "source, rows, rejects, languages, characters, read; of speech also hours, mean_s, speakers, "
            "sample_rates_hz, clips_by_second"
        ),
    ] = False,
) -> None:
    """Read one corpus into a table of utterances (or queries) and show its statistics.

    Stop any time; the same command resumes where it stopped.

    Example: ieat ingest emilia-en --out data/emilia-en
    """
    from ieat_data.apps.ingest.ingest import ingest as run
    from ieat_data.apps.ingest.statistics import draw, statistics
    from ieat_data.cli.places import on_disk
    from ieat_data.storage.local import replace_file

    node = run(source, on_disk(out, "ieat ingest").resolve(), limit, rows_per_shard)
    found = statistics(source, node)
    replace_file(out / "statistics.json", (json.dumps(found.as_json(), indent=1, ensure_ascii=False) + "\n").encode())
    put(found.as_json()) if as_json else _print(found, out)
    if not found.durations:
        return
    try:
        draw(found, out / "statistics.png")
    except ImportError:
        typer.echo("no picture: pip install 'ieat-data[plot]'", err=True)


def _print(found: Statistics, out: Path) -> None:
    from rich.table import Table

    from ieat_data.cli.show import escape, new_console, print_table
    from ieat_data.execution.read import said

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in found.as_json().items():
        if name == "read":
            continue
        shown = ", ".join(f"{k}: {n}" for k, n in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, escape(shown or "none"))
    console = new_console()
    print_table(table)
    if found.read:
        console.print(f"\n{said(found.name, found.read)}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"\nrows {out}/data/*.parquet   rejected {out}/.work/tables/*/quarantine-*", soft_wrap=True)
