"""`ieat check`: does a recording still give the same rows as when it was made?"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.build import PipelineArg, ProfileOpt, SetOpt, make_plan

if TYPE_CHECKING:
    from rich.console import Console

    from ieat_data.execution.plan import Plan
    from ieat_data.recording.compare import StageDifference

_ROWS_SHOWN = 5  # of the first stage that differs
_LINES_SHOWN = 8  # per row


def check(
    pipeline: PipelineArg,
    profile: ProfileOpt = "replay",
    manifest: Annotated[
        Path | None, typer.Option(help="A manifest whose content digest the rows must also have.", show_default=False)
    ] = None,
    set_: SetOpt = None,
    as_json: Annotated[bool, json_option("recording, same, rows, stages, content_digest, changed, differs")] = False,
) -> None:
    """Build from a recording and compare every row of every stage with the recorded one. Exit 1 on a difference.

    On a difference, show the first stage that differs, in which rows and columns, and how. Leaves nothing on disk.

    Example: ieat check stage1-2 --profile replay
    """
    from ieat_data.building import make_tables
    from ieat_data.dataset.manifest import content_digest
    from ieat_data.dataset.opening import load_manifest
    from ieat_data.errors import UserError
    from ieat_data.recording.compare import changed_inputs, compare

    with tempfile.TemporaryDirectory(prefix="ieat-check-") as work:
        plan = make_plan(pipeline, profile, Path(work), Path(work), set_, None)
        if plan.recording is None:
            raise UserError(f"profile {plan.profile.name} names no recording to check; --profile replay does")
        recorded = plan.recording.header.content_digest
        if manifest is not None and (other := load_manifest(manifest)["content_digest"]) != recorded:
            raise UserError(
                f"{manifest}: has content digest {other[:16]}…, recording {plan.recording.name} {recorded[:16]}…: "
                "build from the recording again, with --manifest"
            )
        make_tables(plan)
        found = compare(plan, plan.recording)
        if found and as_json:
            differs = [{**asdict(stage), "rows": [asdict(row) for row in stage.rows]} for stage in found]
            put(_told(plan, digest=None, changed=changed_inputs(plan, plan.recording), differs=differs))
            raise typer.Exit(1)
        if found:
            _show(plan, found)
            raise typer.Exit(1)
        if (digest := content_digest(plan)) != recorded:
            raise UserError(f"recording {plan.recording.name}: its digest is {recorded}, that of its rows {digest}")
        rows = sum(r.rows for node in plan.nodes.values() for r in node.records.values())
        stages = len(plan.nodes)
    if as_json:
        put(_told(plan, digest=digest, changed=[], differs=[]))
        return
    typer.echo(f"recording {plan.recording.name}: all {rows} rows of {stages} stages as recorded, digest {digest}")


def _told(plan: Plan, digest: str | None, changed: list[str], differs: list[dict[str, Any]]) -> dict[str, Any]:
    assert plan.recording is not None
    return {
        "recording": plan.recording.name,
        "same": not differs,
        "rows": sum(r.rows for node in plan.nodes.values() for r in node.records.values()),
        "stages": len(plan.nodes),
        "content_digest": digest,
        "changed": changed,
        "differs": differs,
    }


def _show(plan: Plan, found: list[StageDifference]) -> None:
    from ieat_data.cli.show import new_console
    from ieat_data.recording.compare import RECORD_AGAIN, changed_inputs

    assert plan.recording is not None
    console = new_console()
    first, *later = found
    console.print(f"recording {plan.recording.name}: the rows differ from the recorded ones", markup=False)
    changed = changed_inputs(plan, plan.recording)
    what = ", ".join(changed) or "no input, so it is the code or the recording itself"
    console.print(f"changed since it was made: {what}", markup=False)
    console.print(f"\nfirst stage to differ: [bold]{first.stage}[/bold], {_count(first)}")
    _rows(console, first)
    if later:
        console.print("\nafter it: " + "; ".join(f"{stage.stage} {_count(stage)}" for stage in later))
    console.print(f"\nIf this change is intended, {RECORD_AGAIN}.")


def _count(stage: StageDifference) -> str:
    lacking = f" ({stage.lacking} for lack of a recorded answer)" if stage.lacking else ""
    return f"{len(stage.rows)} row{'s' if len(stage.rows) > 1 else ''}{lacking}"


def _rows(console: Console, stage: StageDifference) -> None:
    from rich.text import Text

    from ieat_data.cli.show import printable

    for row in stage.rows[:_ROWS_SHOWN]:
        console.print(f"  row {row.id}" + (f" ({printable(row.origin)})" if row.origin else ""), markup=False)
        for line in row.lines[:_LINES_SHOWN]:
            text = Text("    " + printable(line))
            text.highlight_regex(r"\[-.*?-\]", "red")
            text.highlight_regex(r"\{\+.*?\+\}", "green")
            console.print(text)
        if len(row.lines) > _LINES_SHOWN:
            console.print(f"    and {len(row.lines) - _LINES_SHOWN} more columns")
    if len(stage.rows) > _ROWS_SHOWN:
        console.print(f"  and {len(stage.rows) - _ROWS_SHOWN} more rows")
