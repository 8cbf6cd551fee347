"""`ieat diff`: two builds beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ieat_data.cli.as_json import json_option, put

_LISTED = 12  # lines of a part, of which JSON has all


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A dataset folder, a manifest, or s3://BUCKET/PREFIX.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The one that is compared with it.")],
    n: Annotated[
        int | None,
        typer.Option("-n", min=0, help="How many samples that differ are shown.", show_default="3; 200 on a page"),
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Show these samples: an id, or its beginning.", show_default=False)
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write a page that shows them side by side, to read and hear.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, json_option("a, b, same, counts, rejects, settings, prompts, samples")] = False,
) -> None:
    """Compare two builds: counts, rejects by reason, settings and prompts that differ, and the same samples in both.

    A sample is paired by its id, which stays when it is only written anew. Exit 1 if the samples differ.

    With --page, a folder that opens from disk (index.html) has the same, with each clip, and needs no network.

    Example: ieat diff data/before data/after --page differences
    """
    from ieat_data.dataset.compare import compare
    from ieat_data.dataset.fetched import fetched

    if page is not None:
        _page(a, b, page, 200 if n is None else n, as_json or id_ is not None)
        return
    found = compare(fetched(a), fetched(b), 3 if n is None else n, id_)
    if as_json:
        put(found)
    else:
        _show(found)
    if not found["same"]:
        raise typer.Exit(1)


def _page(a: Path, b: Path, page: Path, n: int, other: bool) -> None:
    from ieat_data.apps.diff.page import write
    from ieat_data.dataset.fetched import fetched
    from ieat_data.errors import UserError
    from ieat_data.storage.local import check_writable

    if other:
        raise UserError("--page goes without --json and --id: the page has all of it, and finds a sample by its id")
    check_writable(page.absolute())
    said = write(fetched(a), fetched(b), page, n)
    typer.echo(f"{page / 'index.html'}: {len(said['listed'])} samples that differ", err=True)
    if not said["same"]:
        raise typer.Exit(1)


def _show(found: Mapping[str, Any]) -> None:
    from ieat_data.cli.show import escape, new_console, new_table, print_table

    console = new_console()
    for side in ("a", "b"):
        of = found[side]
        console.print(
            f"[bold]{side.upper()}[/bold] {escape(of['folder'])}: {escape(of['name'])}, {of['rows']} samples, "
            f"digest {of['content_digest'][:16]}…",
            soft_wrap=True,
        )
    for title, key, names in (("counts", "counts", ("what",)), ("rejected", "rejects", ("stage", "reason"))):
        if found[key]:
            table = new_table(title, "A", "B", "B - A")
            for one in found[key][: _LISTED * 3]:
                before, now = (one[side] or 0 for side in ("a", "b"))
                table.add_row(escape(" ".join(one[name] for name in names)), str(before), str(now), f"{now - before:+}")
            console.print()
            print_table(table)
            _more(len(found[key]) - _LISTED * 3)
    _lines("settings", [f"{one['key']}: {_brief(one['a'])} → {_brief(one['b'])}" for one in found["settings"]])
    _lines("prompts", [f"{one['file']}: {_file(one)}" for one in found["prompts"]])
    _samples(found["samples"])
    if found["same"]:
        console.print("\nthe samples are the same")


def _lines(title: str, lines: list[str]) -> None:
    from ieat_data.cli.show import escape, new_console

    console = new_console()
    if lines:
        console.print(f"\n[bold]{title}[/bold]")
        for line in lines[:_LISTED]:
            console.print(f"  {escape(line)}", soft_wrap=True)
        _more(len(lines) - _LISTED)


def _more(n: int) -> None:
    if n > 0:
        typer.echo(f"  and {n} more (--json has all)")


def _brief(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _file(one: Mapping[str, Any]) -> str:
    return "only in B" if one["a"] is None else "only in A" if one["b"] is None else "changed"


def _samples(found: Mapping[str, Any] | None) -> None:
    from rich.text import Text

    from ieat_data.cli.show import new_console, printable
    from ieat_data.diff import word_diff

    console = new_console()
    if found is None:
        console.print("\nsamples: not compared, one of the two is only a manifest")
        return
    kinds = {"same": "the same", "changed": "changed", "only_a": "only in A", "only_b": "only in B"}
    console.print("\n[bold]samples[/bold] " + ", ".join(f"{found[key]} {words}" for key, words in kinds.items()))
    for sample in found["shown"]:
        console.print(f"\n{sample['task']} {sample['id']}", markup=False)
        for one in sample["differs"]:
            texts = isinstance(one["a"], str) and isinstance(one["b"], str)
            said = word_diff(one["a"], one["b"]) if texts else f"[-{_brief(one['a'])}-]{{+{_brief(one['b'])}+}}"
            text = Text(f"  {one['at']}: {printable(said)}")
            text.highlight_regex(r"\[-.*?-\]", "red")
            text.highlight_regex(r"\{\+.*?\+\}", "green")
            console.print(text)
        if not sample["differs"]:
            console.print("  the same in both")
