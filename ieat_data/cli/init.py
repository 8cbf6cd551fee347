"""`ieat init`: a project out of a user's own files."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ieat_data.cli.as_json import json_option, put

if TYPE_CHECKING:
    from ieat_data.apps.own.found import Found
    from ieat_data.apps.own.preview import Shown


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder; it may hold your data already.")],
    audio: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder of clips: WAV, FLAC, MP3, Ogg.", show_default=False)
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV, TSV, JSON lines or Parquet with a column of clips and one of transcripts.",
            show_default="the only table in --audio",
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Queries to be spoken: such a table, or lines (.txt).", show_default=False),
    ] = None,
    hf: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET", help="A Hugging Face dataset with clips: OWNER/NAME, or a folder.", show_default=False
        ),
    ] = None,
    lhotse: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A Lhotse manifest: cuts.jsonl or cuts.jsonl.gz.", show_default=False),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="en or zh.", show_default="what the rows say, or look like")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the sources and the pipeline.", show_default="DIR's")] = None,
    as_json: Annotated[bool, json_option("folder, usable, sources, wrote, next")] = False,
) -> None:
    """Make a project out of your own data: look at it, guess the columns, show the first rows, write the YAML files.

    Nothing is written over, and your data stays where it is. In a terminal, what is missing is asked for.

    Example: ieat init my-data --audio recordings/ --table recordings/meta.csv
    """
    from ieat_data.apps.own import project
    from ieat_data.apps.own.found import slug
    from ieat_data.apps.own.preview import preview

    if not any((audio, table, text, hf, lhotse)):
        audio, table, text = _asked(as_json)
    corpora = _looked_at(audio, table, text, hf, lhotse)
    called = slug(name or folder.resolve().name)
    sources, previews = [], []
    for found in corpora:
        found.told(language or "")
        own = called if len(corpora) == 1 or found.kind == "speech" else f"{called}-text"
        sources.append((found, project.source_of(found, own, folder)))
        previews.append(preview(found, sources[-1][1]))
        if not as_json:
            _show(found, previews[-1])
    usable = all(any(not row.reason for row in rows) for rows in previews)
    wrote = [str(path) for path in project.write(folder, project.files_of(called, sources))]
    commands = project.next_commands(called, [source["name"] for _, source in sources])
    commands = commands if usable else commands[:1]
    if as_json:
        looked = [
            {**source, "kind": found.kind, "guessed": found.took, "rows": [asdict(row) for row in rows]}
            for (found, source), rows in zip(sources, previews, strict=True)
        ]
        put({"folder": str(folder), "usable": usable, "sources": looked, "wrote": wrote, "next": dict(commands)})
    else:
        _told(folder, wrote, commands)
    if not usable:
        typer.echo(
            "ieat: none of the first rows can be used: mend the data, or the files that say how it is read", err=True
        )
        raise typer.Exit(1)


def _told(folder: Path, wrote: Sequence[str], commands: Sequence[tuple[str, str]]) -> None:
    """Print what was written, and the next commands."""
    from ieat_data.cli.show import escape, new_console

    console = new_console()
    for path in wrote:
        console.print(f"wrote {escape(path)}", soft_wrap=True)
    console.print("\n[bold]next[/bold]")
    if folder.resolve() != Path.cwd():
        console.print(f"  cd {escape(shlex.quote(str(folder)))}", soft_wrap=True)
    for command, what in commands:
        console.print(f"  {command:<{max(len(c) for c, _ in commands)}}  [dim]# {what}[/dim]", soft_wrap=True)


def _looked_at(
    audio: Path | None, table: Path | None, text: Path | None, hf: str | None, lhotse: Path | None
) -> list[Found]:
    """Return what the options name: one corpus of speech, one of texts, or both."""
    from ieat_data.apps.own import others
    from ieat_data.apps.own.clips import clips
    from ieat_data.errors import UserError

    speech = {"--hf": hf, "--lhotse": lhotse, "--table": table, "--audio": None if lhotse or table else audio}
    given = [option for option, value in speech.items() if value]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)}: one corpus of speech at a time; give the command again for the other")
    found = []
    if hf:
        found.append(others.hub(hf))
    elif lhotse:
        found.append(others.cuts(lhotse, audio))
    elif audio or table:
        found.append(clips(audio, table))
    if text:
        found.append(others.texts(text))
    return found


def _asked(as_json: bool) -> tuple[Path | None, Path | None, Path | None]:
    """Ask for clips, table and texts.

    Raises:
        UserError: there is no terminal, or nothing is given.
    """
    from ieat_data.errors import UserError

    if as_json or not _terminal():
        raise UserError("name your data: --audio DIR --table FILE, --text FILE, --hf DATASET or --lhotse FILE")

    def ask(what: str) -> Path | None:
        given = typer.prompt(f"{what} (Enter: none)", default="", show_default=False).strip()
        return Path(given).expanduser() if given else None

    audio = ask("Folder of clips")
    table = ask("Table with their transcripts, if it is not in that folder") if audio else None
    text = ask("Table of queries to be spoken")
    if not audio and not text:
        raise UserError("name clips or texts; ieat init --help lists the other kinds of data")
    return audio, table, text


def _terminal() -> bool:
    return sys.stdin.isatty()


def _show(found: Found, rows: Sequence[Shown]) -> None:
    """Print what was guessed, the first rows, and for each reject why."""
    from ieat_data.cli.show import escape, new_console, new_table

    console, kind = new_console(), found.kind
    for line in found.took:
        console.print(escape(line), soft_wrap=True)
    console.print()
    table = new_table("row", *(("clip", "speaker") if kind == "speech" else ()), "text", "", right=("clip",))
    room = max(20, console.width - (66 if kind == "speech" else 40))  # for the text
    for row in rows:
        clip = f"{row.seconds:.1f} s {(row.rate or 0) / 1000:g} kHz" if row.seconds is not None else ""
        middle = [clip, escape(_short(row.speaker, 10))] if kind == "speech" else []
        state = f"[red]{row.reason}[/red]" if row.reason else "[green]ok[/green]"
        name = row.name if len(row.name) <= 16 else f"…{row.name[-15:]}"  # ids differ at their ends
        text = _short(" ".join(row.text.split()) or ("(the ASR's words)" if found.untranscribed else ""), room)
        table.add_row(escape(name), *middle, escape(text), state)
    console.print(table)
    good = sum(not row.reason for row in rows)
    console.print(f"\n{good} of the first {len(rows)} rows can be used")
    told: set[str] = set()
    for row in rows:
        if row.reason and row.reason not in told:
            told.add(row.reason)
            why = f": {row.message}" if row.message else ""
            console.print(f"  {row.reason}{escape(why)}", soft_wrap=True)
    console.print()


def _short(text: str, room: int) -> str:
    """Return a text that takes at most `room` columns of a terminal, with an ellipsis for what is left out."""
    from rich.cells import cell_len, chop_cells

    return text if cell_len(text) <= room else f"{chop_cells(text, room - 1)[0]}…"
