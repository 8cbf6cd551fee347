"""`ieat review`: manual filtering of instructions and samples, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ieat_data.cli.as_json import json_option, put

if TYPE_CHECKING:
    from ieat_data.apps.review.session import ReviewSession


def review(
    what: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|BANK",
            help="A dataset folder that ieat build wrote, or instructions: prompts/instructions, or one file of it.",
        ),
    ],
    decisions: Annotated[
        Path | None,
        typer.Option(
            help="The folder where decisions are written and from which builds read them.",
            show_default="of a dataset: the pipeline's `decisions`; of instructions: decisions/ of the project",
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="any_reject or majority: what counts if people disagree.", show_default="the pipeline's"),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="Only N samples, drawn by hash: the same for everyone.")
    ] = None,
    ids: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Only these: a text file with one id a line, as the list of a report exports it.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Open it to a network: 0.0.0.0, or one address. The link has a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8710,
    progress: Annotated[
        bool, typer.Option("--progress", help="Print the progress and the agreement, and exit.")
    ] = False,
    release: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Free a reviewer's name whose token is lost, and exit.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool,
        json_option(
            "items, decided, held, disagreed, share, rule, reasons, by_reason, reviewers, assigned, pairs, faults; "
            "needs --progress"
        ),
    ] = False,
) -> None:
    """Review instructions or samples one by one: accept, reject with a reason, edit. The next build uses the result.

    Several people may review at once, here or on their own machines: each has a file in the decisions folder, which
    git merges. review.yaml in that folder names a team: who gets which items, and whether clips must be heard;
    guidelines.md there is shown beside each item.

    Example: ieat review data/stage1-2
    """
    from ieat_data.apps.review.serve import serve
    from ieat_data.cli.places import on_disk
    from ieat_data.errors import UserError
    from ieat_data.storage.local import check_writable

    session = open_session(on_disk(what, "ieat review"), decisions, rule, n, ids)
    if release is not None:
        session.claims.release(release)
        typer.echo(f"{release} is free: who takes the name next has it")
        return
    if as_json and not progress:
        raise UserError("--json goes with --progress: the review itself is a page")
    if progress:
        put(session.progress()) if as_json else show_progress(session.progress())
        return
    check_writable(session.store.folder)
    typer.echo(
        f"{len(session.catalogue.items)} {session.catalogue.kind}s; decisions in {session.store.folder}; Ctrl-C stops"
    )
    serve(session, host, port, typer.echo)


def open_session(
    what: Path, decisions: Path | None, rule: str | None, n: int | None = None, ids: Path | None = None
) -> ReviewSession:
    """Open a review of a dataset folder or of a bank of instructions."""
    from typing import get_args

    from ieat_data.apps.review.open import open_catalogue, read_ids
    from ieat_data.apps.review.session import ReviewSession
    from ieat_data.apps.review.store import Store
    from ieat_data.cli.names import one_of
    from ieat_data.config import Rule, located
    from ieat_data.errors import UserError

    if not what.exists():
        what = located(str(what), str(what))  # prompts/instructions, from the project or the package
    folder, known = _defaults(what)
    chosen: Any = rule or known
    one_of("--rule", chosen, get_args(Rule))
    folder = decisions or folder
    if folder is None:
        raise UserError(f"{what}: not in a project's prompts/instructions: name a folder with --decisions DIR")
    only = read_ids(ids) if ids else None
    catalogue = open_catalogue(what, n, only)
    if only is not None:
        _all_there(only, {k.item for k in catalogue.items}, f"--ids {ids}", what, drawn=n is not None)
    return ReviewSession(catalogue, Store(folder.absolute()), chosen)


def _all_there(only: frozenset[str], there: set[str], where: str, what: Path, drawn: bool) -> None:
    """Say how many of the ids are not there; stop if none is."""
    from ieat_data.errors import UserError

    absent = sorted(only - there)
    if len(absent) == len(only):
        raise UserError(f"{where}: none of its {len(only)} ids is in {what}, e.g. {absent[0][:60]}")
    if absent and not drawn:
        typer.echo(f"{where}: {len(absent)} of {len(only)} ids are not in {what}, e.g. {absent[0][:60]}", err=True)


def _defaults(what: Path) -> tuple[Path | None, str]:
    """Return the decisions folder that a build would read, and the rule."""
    from ieat_data.config import Pipeline, located
    from ieat_data.dataset.opening import load_manifest
    from ieat_data.paths import home, shipped

    fields = Pipeline.model_fields
    if (what / "manifest.json").is_file():
        pipeline = load_manifest(what)["pipeline"]
        named = (pipeline.get(k, fields[k].default) for k in ("decisions", "decision_rule"))
        return located(next(named), f"{what}: decisions", written=True), next(named)
    folder = (what if what.is_dir() else what.parent).absolute()
    if folder.is_relative_to(shipped()):
        beside: Path | None = home() / "decisions"  # never into the package
    else:
        beside = folder.parent.parent / "decisions" if folder.parent.name == "prompts" else None
    return beside, fields["decision_rule"].default


def show_progress(made: dict[str, Any]) -> None:
    """Print `agreement.progress` in readable form."""
    from ieat_data.cli.show import escape, new_console, new_table, print_table

    console = new_console()
    console.print(
        f"{made['decided']} of {made['items']} decided ({made['share']:.0%}), {made['disagreed']} disagreed; "
        f"rule: {made['rule']}"
    )
    if made["reviewers"]:
        table = new_table("reviewer", "decided", "accept", "edit", "reject")
        for r in made["reviewers"]:
            table.add_row(escape(r["name"]), *(str(r.get(k, 0)) for k in ("decided", "accept", "edit", "reject")))
        print_table(table)
    if made["pairs"]:
        table = new_table("pair", "items", "agreed", "Cohen's kappa")
        for p in made["pairs"]:
            kappa = "undefined" if p["kappa"] is None else f"{p['kappa']:.2f}"
            table.add_row(escape(" / ".join(p["reviewers"])), str(p["items"]), f"{p['agreed']:.0%}", kappa)
        print_table(table)
    if made["by_reason"]:
        table = new_table("reason", "pairs", "both", "agreed", "Cohen's kappa")
        for r in made["by_reason"]:
            kappa = "undefined" if r["kappa"] is None else f"{r['kappa']:.2f}"
            table.add_row(r["reason"], str(r["pairs"]), str(r["both"]), f"{r['agreed']:.0%}", kappa)
        print_table(table)
    if made["assigned"]:
        table = new_table("assigned to", "items", "decided", "left")
        for a in made["assigned"]:
            table.add_row(escape(a["name"]), str(a["items"]), str(a["decided"]), str(a["items"] - a["decided"]))
        print_table(table)
    for fault in made["faults"]:
        console.print(fault, markup=False)
