"""`ieat report`: a dataset as pages to read, listen to and share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.build import WorkOpt


def report(
    folder: Annotated[Path, typer.Argument(help="A dataset folder that ieat build wrote, or is writing.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The report's folder.", show_default="FOLDER-report")
    ] = None,
    audio: Annotated[
        str,
        typer.Option(
            metavar="all|none|N", help="How many samples get their clips beside the page, spread over all configs."
        ),
    ] = "1000",
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page instead of writing it; it follows a running build.")
    ] = False,
    host: Annotated[str, typer.Option(help="With --serve: the address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="With --serve; 0: any free one.")] = 8765,
    work: WorkOpt = None,
    as_json: Annotated[bool, json_option("page, samples, rejected; not with --serve")] = False,
) -> None:
    """Make a page from a dataset: its figures, every sample to read and hear, every rejected row and why.

    The report is a folder that opens from disk (index.html), needs no network and can be shared.

    With --serve the page is live, also during a build, and plays every clip from the shards.

    Example: ieat report data/stage1-2 --out report
    """
    from ieat_data.cli.places import on_disk
    from ieat_data.errors import UserError

    with_clips = _count(audio)
    for place in (folder, work):
        if place is not None:
            on_disk(place, "ieat report")
    if serve and as_json:
        raise UserError("--json goes without --serve: a page that is served has no end")
    if serve:
        from ieat_data.apps.report.serve import serve as run

        run(folder, work, host, port, typer.echo)
        return
    from ieat_data.apps.report.view import view_of
    from ieat_data.apps.report.write import write
    from ieat_data.storage.local import check_writable

    target = out or folder.with_name(f"{folder.resolve().name}-report")
    check_writable(target.absolute())
    said = write(view_of(folder, work), target, with_clips)
    lists = said["lists"]
    if as_json:
        counts = {"samples": lists["samples"]["rows"], "rejected": lists["rejected"]["rows"]}
        put({"page": str(target / "index.html"), **counts})
        return
    typer.echo(
        f"{target / 'index.html'}: {lists['samples']['rows']} samples, {lists['rejected']['rows']} rejected rows",
        err=True,
    )


def _count(audio: str) -> int | None:
    if audio == "all":
        return None
    if audio == "none":
        return 0
    if not (audio.isascii() and audio.isdigit()):
        raise typer.BadParameter(f"{audio!r} must be all, none or a number", param_hint="--audio")
    return int(audio)
