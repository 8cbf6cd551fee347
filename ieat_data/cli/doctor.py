"""`ieat doctor`: does an installation work, before a build of weeks starts?"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.build import ProfileOpt, WorkOpt

if TYPE_CHECKING:
    from ieat_data.apps.doctor.report import Report


def doctor(
    profile: ProfileOpt = "cpu",
    out: Annotated[Path, typer.Option("--out", "-o", help="The dataset folder of the build.")] = Path(),
    work: WorkOpt = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="profile.KEY=VALUE", help="Override a value of the profile.")
    ] = None,
    calls: Annotated[bool, typer.Option(help="Load each engine and ask it something.")] = True,
    as_json: Annotated[bool, json_option("profile, ok, findings")] = False,
) -> None:
    """Check everything a profile needs: machine, environments, packages, GPUs, models; ask each engine something.

    Starts the engines as a build does, all their replicas. Exit 1 on a fault.

    Example: ieat doctor --profile my-gpu.yaml --out /data/mine
    """
    from ieat_data.apps.doctor.examine import examine
    from ieat_data.cli.places import on_disk
    from ieat_data.config import load_profile, split_assignments
    from ieat_data.errors import UserError
    from ieat_data.storage.local import check_writable

    for_pipeline, for_profile = split_assignments(set_ or [])
    if for_pipeline:
        raise UserError(f"--set {for_pipeline[0]!r}: doctor has no pipeline, only profile.KEY=VALUE")
    place = on_disk(work or out / ".work", "ieat doctor").resolve()
    check_writable(place)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {text}", file=sys.stderr, flush=True)

    report = examine(load_profile(profile, for_profile), place, calls, say)
    if as_json:
        put(report.as_json())
    else:
        _show(report, calls)
    if report.faults:
        raise typer.Exit(1)


def _show(report: Report, calls: bool) -> None:
    from rich.table import Table

    from ieat_data.cli.show import escape, new_console

    console = new_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("part", "what", "found"):
        table.add_column(column, no_wrap=column != "found", overflow="fold")
    part = ""
    for f in report.findings:
        if f.state != "fault":
            text = escape(f.text) if f.state == "ok" else f"[yellow]{escape(f.text)}[/yellow]"
            table.add_row(escape(f.part) if f.part != part else "", escape(f.what), text)
            part = f.part
    console.print(table)
    console.print()
    for f in report.faults:
        console.print(f"[red]fault[/red] {escape(f.part)}, {escape(f.what)}: {escape(f.text)}", soft_wrap=True)
    n = len(report.faults)
    asked = "" if calls else "; no engine was loaded (--no-calls)"
    end = f"{n} fault{'s' if n > 1 else ''}" if n else "no fault"
    console.print(f"profile {escape(report.profile)}: {end}{asked}", soft_wrap=True)
