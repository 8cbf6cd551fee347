"""`ieat build`, `ieat plan`, `ieat status`: build a dataset, preview a build, show its progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.names import completing, pipelines, profiles

if TYPE_CHECKING:
    from ieat_data.config import Pipeline, Profile
    from ieat_data.execution.plan import Plan

PipelineArg = Annotated[
    str,
    typer.Argument(
        help="A name under pipelines/ (stage1-2) or a path to a YAML file.",
        autocompletion=completing(pipelines),
    ),
]
ProfileOpt = Annotated[
    str,
    typer.Option(
        "--profile",
        "-p",
        help="The engines: a name under pipelines/profiles/, or a path.",
        autocompletion=completing(profiles),
    ),
]
OutOpt = Annotated[Path, typer.Option("--out", "-o", help="The dataset folder, or s3://BUCKET/PREFIX.")]
WorkOpt = Annotated[
    Path | None,
    typer.Option(
        "--work",
        help="The folder for intermediate tables and answers; also s3://BUCKET/PREFIX.",
        show_default="OUT/.work",
    ),
]
SetOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a value of the pipeline or, with profile.KEY=…, of the profile."
    ),
]
LimitOpt = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N records of each source.")]
RetryOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="REASON,…",
        help="Ask again for rows that were rejected for these reasons; `passing` stands for those that may have passed "
        "(server_error, timeout, out_of_memory, … and internal_error, but not kills_engine). Only failures are asked "
        "again: for a reason that a check gives to an answer (loop), the shard is made again from the stored answers.",
        show_default=False,
    ),
]


def load(pipeline: str, profile: str, sets: list[str] | None, limit: int | None) -> tuple[Pipeline, Profile]:
    """Read pipeline and profile, with the overrides of the command line."""
    from ieat_data.config import load_pipeline, load_profile, split_assignments

    for_pipeline, for_profile = split_assignments(sets or [])
    if limit is not None:
        for_pipeline.append(f"limit={limit}")
    return load_pipeline(pipeline, for_pipeline), load_profile(profile, for_profile)


def make_plan(
    pipeline: str, profile: str, out: Path, work: Path | None, sets: list[str] | None, limit: int | None
) -> Plan:
    """Plan a build; the default of `work` is OUT/.work."""
    from ieat_data.execution.plan import Plan
    from ieat_data.storage.open import at

    return Plan(*load(pipeline, profile, sets, limit), at(work or out / ".work"))


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
            "Requests that DIR already answers are not asked again.",
            show_default=False,
        ),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the manifest to this file.", show_default=False)
    ] = None,
    retry_rejected: RetryOpt = None,
    as_json: Annotated[
        bool, json_option("out, manifest, content_digest, rows, audio_s, configs, rejected, grades, measured")
    ] = False,
) -> None:
    """Build a pipeline into a dataset folder.

    Stop any time; the same command resumes where it stopped. A build without a sample says which stage rejected all
    rows, and ends with exit code 1.

    Example: ieat build stage1-2 --profile cpu --out data/stage1-2
    """
    from ieat_data.building import build as run
    from ieat_data.building import writable
    from ieat_data.cli.cost import compared_table
    from ieat_data.cli.places import on_disk
    from ieat_data.cli.show import after_build, built
    from ieat_data.cost.report import compared
    from ieat_data.dataset.nothing import why_nothing
    from ieat_data.storage.open import at

    if manifest is not None:
        on_disk(out, "ieat build --manifest")
    if record is not None:
        on_disk(record, "ieat build --record")
    writable(out, work)
    planned = make_plan(pipeline, profile, out, work, set_, limit)
    made = run(planned, at(out), record, manifest, retry_rejected=retry_rejected or ())
    if as_json:
        put({**built(made, out), "measured": compared(planned)})
    else:
        after_build(made, out)
        compared_table(compared(planned))
    if nothing := why_nothing(made):
        typer.echo(f"ieat: no sample came out: {nothing}", err=True)
        raise typer.Exit(1)


def plan(
    pipeline: PipelineArg,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The dataset folder; without it, only the cost is shown.", show_default=False),
    ] = None,
    profile: ProfileOpt = "cpu",
    work: WorkOpt = None,
    set_: SetOpt = None,
    limit: LimitOpt = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            min=1, help="GPUs to distribute the engines over.", show_default="as many as the profile's replicas take"
        ),
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="Price of a GPU-hour.", show_default=False)
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SOURCE=]N",
            help="Plan for a corpus that is not here: the records of a source or, as N alone (50M, 250k), of all other "
            "sources together, in equal parts.",
        ),
    ] = None,
    hours: Annotated[
        list[str] | None,
        typer.Option(metavar="[SOURCE=]H", help="The same in hours of speech, by the corpus's mean clip length."),
    ] = None,
    as_json: Annotated[
        bool, json_option("tables, no_tables, cost, measured; with --retry-rejected asked_again")
    ] = False,
    retry_rejected: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REASON,…",
            help="Also show which rows the same option of `ieat build` would ask again. Needs --out or --work.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what a build would do and cost, before anything runs.

    With --out: shards and rows per table, what is there already, and why something is built again.

    Then an estimate: rows, audio and tokens of each stage, the work of each engine, the best split of the GPUs, time,
    storage, money. It covers the whole build, including what is there already.

    Its figures are measured in the work folder, published, from the small sample, or guessed; the output says which.

    Example: ieat plan stage1-2 --profile gpu --rows 50M --gpus 8 --price 2.5
    """
    from ieat_data.cli.plan import show_plan
    from ieat_data.cost.corpora import Stated, parse_sizes
    from ieat_data.storage.open import at

    stated = Stated(parse_sizes("--rows", rows or []), parse_sizes("--hours", hours or []))
    folder = work or (out / ".work" if out else None)
    place = at(folder) if folder else None
    show_plan(*load(pipeline, profile, set_, limit), place, stated, gpus, price, as_json, retry_rejected or ())


def status(
    out: Annotated[Path, typer.Argument(help="The dataset folder of a build, running or not.")],
    work: WorkOpt = None,
    as_json: Annotated[
        bool, json_option("tables, measured, progress; progress is null or has share, left_s, at")
    ] = False,
) -> None:
    """Show the progress of the last build into a folder, and its measured cost beside the planned one."""
    from ieat_data.building import load_build
    from ieat_data.cli.cost import clock, compared_table
    from ieat_data.cli.show import plan_rows, plan_table
    from ieat_data.cost.report import compared
    from ieat_data.execution.overall import kept
    from ieat_data.storage.open import at

    begun = load_build(at(work or out / ".work"))
    progress = kept(begun.work) if any(node.todo for node in begun.nodes.values()) else None
    if as_json:
        put({"tables": plan_rows(begun), "measured": compared(begun), "progress": progress})
        return
    plan_table(begun)
    if progress is not None:
        left = progress["left_s"]
        when = f", about {clock(left / 3600)} left at its last word" if left else ""
        typer.echo(f"{100 * progress['share']:.0f} % of the build{when}")
    compared_table(compared(begun))
