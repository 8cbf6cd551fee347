"""`ieat build`, `ieat plan`, `ieat status`: make a dataset, say what would be made, say how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ieat_data.planner import Plan

PipelineArg = Annotated[str, typer.Argument(help="A name under pipelines/ (stage1-2) or a path to a YAML file.")]
ProfileOpt = Annotated[
    str, typer.Option("--profile", "-p", help="Who does the work: a name under pipelines/profiles/, or a path.")
]
OutOpt = Annotated[Path, typer.Option("--out", "-o", help="The dataset folder.")]
WorkOpt = Annotated[Path | None, typer.Option("--work", help="Tables and answers in the making [default: OUT/.work].")]
SetOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Lay a value over the pipeline, or (profile.KEY=…) over the profile."
    ),
]
LimitOpt = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N records of each source.")]


def register(app: typer.Typer) -> None:
    app.command()(build)
    app.command()(plan)
    app.command()(status)


def make_plan(
    pipeline: str, profile: str, out: Path, work: Path | None, sets: list[str] | None, limit: int | None
) -> Plan:
    from ieat_data.config import load_pipeline, load_profile, split_assignments
    from ieat_data.planner import Plan

    for_pipeline, for_profile = split_assignments(sets or [])
    if limit is not None:
        for_pipeline.append(f"limit={limit}")
    return Plan(
        load_pipeline(pipeline, for_pipeline), load_profile(profile, for_profile), (work or out / ".work").resolve()
    )


def build(
    pipeline: PipelineArg,
    out: OutOpt,
    profile: ProfileOpt = "cpu",
    work: WorkOpt = None,
    set_: SetOpt = None,
    limit: LimitOpt = None,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the engines' raw answers into a recording, for a profile that replays it. "
            "What DIR holds already is not asked again.",
            show_default=False,
        ),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the manifest there, too.", show_default=False)
    ] = None,
) -> None:
    """Build a pipeline into a dataset folder.

    Break it off at any time and start the same command again: what is committed stays, and it goes on from there.

    Example: ieat build stage1-2 --profile cpu --out data/stage1-2
    """
    from ieat_data.build import build as run
    from ieat_data.cli.show import after_build

    made = run(make_plan(pipeline, profile, out, work, set_, limit), out.resolve(), record, manifest)
    after_build(made, out)


def plan(
    pipeline: PipelineArg,
    out: OutOpt,
    profile: ProfileOpt = "cpu",
    work: WorkOpt = None,
    set_: SetOpt = None,
    limit: LimitOpt = None,
) -> None:
    """Say what a build would do: shards and rows per table, what is there already, and why something is built again."""
    from ieat_data.cli.show import plan_table

    plan_table(make_plan(pipeline, profile, out, work, set_, limit))


def status(
    out: Annotated[Path, typer.Argument(help="The dataset folder of a build, running or not.")],
    work: WorkOpt = None,
) -> None:
    """Say how far the last build into a folder is, from its commit records."""
    from ieat_data.build import load_build
    from ieat_data.cli.show import plan_table

    plan_table(load_build((work or out / ".work").resolve()))
