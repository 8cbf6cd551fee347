"""`ieat export`: a dataset in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.names import completing, exporters

_TARGETS = "ms-swift, llamafactory, trl, nemo, openai, webdataset, lhotse-shar, mds, osum, humdial, jsonl"


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder that ieat build wrote.")],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help=f"{_TARGETS}, or one of your own: module:Class.",
            autocompletion=completing(exporters),
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A new folder for what is written.")] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="EXPORT",
            help="Compare this export of DIR, read by the installed trainer, with what DIR says; --set model=PATH.",
        ),
    ] = None,
    turns: Annotated[
        str | None,
        typer.Option(
            metavar="all|last|each",
            help="Turns that carry a loss: all that a sample marks, the last one, or each in a row.",
        ),
    ] = None,
    history_think: Annotated[
        str | None, typer.Option(metavar="keep|strip", help="Thoughts of turns that carry no loss.")
    ] = None,
    injected: Annotated[
        str | None,
        typer.Option(metavar="mask|train|drop", help="The injected part of a thought: no loss, a loss, left out."),
    ] = None,
    think: Annotated[
        str | None, typer.Option(metavar="tag|field|none", help="The thought between tags, as a field, or left out.")
    ] = None,
    descriptor: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The model's file in prompts/models: its tags and control strings."),
    ] = None,
    max_audio_s: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Leave out rows with a longer clip: 30 or 300, by encoder.")
    ] = None,
    audio: Annotated[
        str | None, typer.Option(metavar="files|embed", help="Clips as files beside the rows, or inside them.")
    ] = None,
    audio_root: Annotated[
        str | None, typer.Option(metavar="PATH", help="What the paths of clips begin with, where it is not OUT itself.")
    ] = None,
    transcripts: Annotated[
        bool | None,
        typer.Option("--transcripts/--no-transcripts", help="Also write what was said.", show_default=False),
    ] = None,
    configs: Annotated[
        list[str] | None,
        typer.Option("--config", metavar="NAME", help="Only this part of the dataset; may be repeated."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="train=0.98,val=0.02", help="Split by hash; no speaker, no recording is in two."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Lay a value over the exporter's settings.")
    ] = None,
    as_json: Annotated[
        bool,
        json_option(
            "out, exporter, settings, configs, split, content_digest, rows, left_out; more of OUT/export.json; "
            "with --check agree"
        ),
    ] = False,
) -> None:
    """Write a dataset for a trainer or another tool. What is left out is counted by reason.

    OUT/README.md says how to train on it, OUT/export.json how it was made. The options stand for the exporter's
    settings of the same names; what a target does not know is told.

    Example: ieat export data/stage1-2 --to ms-swift --out data/swift
    Example: ieat export data/stage1-2 --check data/swift --set model=Qwen2.5-Omni-7B
    """
    from ieat_data.cli.places import on_disk
    from ieat_data.dataset.export.run import export as run
    from ieat_data.dataset.fetched import fetched
    from ieat_data.errors import UserError

    if check is not None:
        from ieat_data.dataset.export.checking.run import check as compare

        lines = compare(fetched(folder), check, set_ or [])
        if as_json:
            put({"agree": list(lines)})
            return
        for line in lines:
            typer.echo(line)
        return
    if to is None or out is None:
        raise UserError("ieat export: say --to TARGET and --out FOLDER, or --check EXPORT")
    given = {
        "turns": turns,
        "history_think": history_think,
        "injected": injected,
        "think": think,
        "descriptor": descriptor,
        "max_audio_s": max_audio_s,
        "audio": audio,
        "audio_root": audio_root,
        "transcripts": transcripts,
    }
    settings = [f"{k}={v}" for k, v in given.items() if v is not None]
    about = run(
        fetched(folder), to, on_disk(out, "ieat export --out"), [*settings, *(set_ or [])], configs or [], split
    )
    if as_json:
        put({"out": str(out), **about})
        return
    for name, part in about["splits"].items() if split else [("", about)]:
        _tell(f"{name}: " if name else "", part)
    typer.echo(f"written to {out}")


def _tell(where: str, part: dict[str, Any]) -> None:
    for config, n in part["rows"].items():
        typer.echo(f"{where}{config}: {n} samples")
    for reason, n in part["left_out"].items():
        typer.echo(f"{where}left out: {n} ({reason})")
    for note in part.get("notes", ()):
        typer.echo(f"{where}note: {note}")
