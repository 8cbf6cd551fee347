"""`ieat verify`, `ieat digest`, `ieat show`, `ieat explain`: look at what was built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.places import named
from ieat_data.errors import UserError

FolderArg = Annotated[Path, typer.Argument(help="A dataset folder that ieat build wrote, or s3://BUCKET/PREFIX.")]


def verify(
    folder: FolderArg,
    deep: Annotated[bool, typer.Option("--deep", help="Decode every clip to its end.")] = False,
    work: Annotated[
        Path | None,
        typer.Option(metavar="WORK", help="Check a work folder, too: tables, records, answers.", show_default=False),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Delete what is damaged and can be built again; ieat build then does."),
    ] = False,
    as_json: Annotated[bool, json_option("folder, sound, faults, samples, shards")] = False,
) -> None:
    """Check that a folder holds what its manifest claims, in every byte. Exit 1 on a fault, with a line for each.

    Shards, schema, ids, references, spans, counts, the card, stray files.

    Example: ieat verify data/stage1-2 --deep --work data/stage1-2/.work
    """
    from ieat_data.dataset.fetched import fetched
    from ieat_data.dataset.opening import load_manifest
    from ieat_data.dataset.verify import verify as check

    there = fetched(folder, anew=True)
    if repair and there != Path(folder):
        raise UserError(f"{named(folder)}: --repair works on a folder of this machine; build again in its place")
    beside = there / ".work"
    faults = check(there, deep, work or (beside if repair and beside.is_dir() else None), repair)
    if as_json:
        counted = {} if faults else load_manifest(there)
        told = {"folder": named(folder), "sound": not faults, "faults": faults}
        put({**told, "samples": counted.get("rows"), "shards": len(counted["shards"]) if counted else None})
        if faults:
            raise typer.Exit(1)
        return
    for fault in faults:
        typer.echo(fault)
    if faults and repair:
        typer.echo("what is damaged is deleted: the ieat build that made it makes it again", err=True)
    if faults:
        typer.echo(f"{named(folder)}: {len(faults)} fault{'s' if len(faults) > 1 else ''}", err=True)
        raise typer.Exit(1)
    made = load_manifest(there)
    typer.echo(f"{named(folder)}: sound, {made['rows']} samples in {len(made['shards'])} shards", err=True)


def digest(folder: FolderArg, as_json: Annotated[bool, json_option("folder, content_digest")] = False) -> None:
    """Print the content digest of the logical rows (not of the Parquet bytes) alone on stdout."""
    from ieat_data.dataset.fetched import fetched
    from ieat_data.dataset.verify import content_digest

    made = content_digest(fetched(folder))
    if as_json:
        put({"folder": named(folder), "content_digest": made})
    else:
        sys.stdout.write(made + "\n")


def show(
    folder: FolderArg,
    id_: Annotated[str | None, typer.Option("--id", help="A sample's id, or its beginning.")] = None,
    task: Annotated[str | None, typer.Option(help="response, reasoning, empathy or trajectory.")] = None,
    language: Annotated[str | None, typer.Option(help="en or zh.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many samples.")] = 1,
    audio: Annotated[Path | None, typer.Option(help="Write the clips of the samples into this folder.")] = None,
    as_json: Annotated[
        bool, json_option("samples: rows as in docs/reference/schema.md, without the clips' bytes")
    ] = False,
) -> None:
    """Print samples in readable form; the injected body is set apart from the model's own continuation.

    Of a build that has not ended: what the model has said so far, the furthest first.

    Example: ieat show data/stage1-2 --task trajectory --language zh
    """
    from ieat_data.cli.show import show_samples
    from ieat_data.cli.so_far import is_unfinished, show_so_far
    from ieat_data.dataset.fetched import fetched

    there = fetched(folder)
    if is_unfinished(there) and not (id_ or audio or as_json):
        show_so_far(there, task, language, n)
    else:
        show_samples(there, id_, task, language, n, audio, as_json)


def explain(
    folder: Annotated[Path, typer.Argument(help="The dataset folder of a build, running or not.")],
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="A sample's or row's id, or its beginning, or a corpus record's key.")
    ],
    work: Annotated[Path | None, typer.Option("--work", help="The work folder.", show_default="OUT/.work")] = None,
    as_json: Annotated[bool, json_option("id, origins, samples, steps")] = False,
) -> None:
    """Say what happened to a row: from which corpus record, through which stages, into which shard, or why not.

    Example: ieat explain data/sample 254e19d3
    """
    from ieat_data.api.explain import explain as told

    found = told(folder, id_, work=work)
    if as_json:
        put(found.as_dict())
    else:
        typer.echo(str(found))
