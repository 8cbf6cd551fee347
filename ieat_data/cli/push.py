"""`ieat push`: a dataset into a repository of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ieat_data.cli.as_json import json_option, put

if TYPE_CHECKING:
    from ieat_data.dataset.push import State


def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder that ieat build wrote.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME on the hub; made if it is not there.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="A branch; made if it is not there.", show_default="main")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say how the repository differs from DIR; exit 1 if it does.")
    ] = False,
    as_json: Annotated[
        bool, json_option("repo, url, equal, missing, pointers, old: how it differed before; with --check as it is")
    ] = False,
) -> None:
    """Upload a dataset to the Hugging Face hub: what its manifest lists, and what is not there yet.

    Readers of the repository see the old generation or the new one. A push that broke off goes on with the same
    command. The token is that of HF_TOKEN or `hf auth login`.

    Example: ieat push data/stage1-2 my-lab/ieat-stage1-2 --private
    """
    from ieat_data.cli.places import named
    from ieat_data.dataset import push as pushing
    from ieat_data.dataset.fetched import fetched

    there = fetched(folder)
    if check:
        state = pushing.compare(there, repo, revision)
        if as_json:
            put(_told(repo, state))
        for line in () if as_json else state.lines():
            typer.echo(f"{repo}: {line}")
        if not state.equal:
            raise typer.Exit(1)
        typer.echo(f"{repo}: holds what {named(folder)} holds", err=True)
        return
    before = pushing.push(there, repo, private, revision, lambda line: typer.echo(line, err=True))
    if as_json:
        put(_told(repo, before))
    elif before.equal:
        typer.echo(f"{repo}: holds what {named(folder)} holds already: {before.url}")
    else:
        typer.echo(f"pushed {len(before.missing)} shards, took away {len(before.old)}: {before.url}")


def _told(repo: str, state: State) -> dict[str, Any]:
    missing = [shard["path"] for shard in state.missing]
    return {
        "repo": repo,
        "url": state.url,
        "equal": state.equal,
        "missing": missing,
        "pointers": state.pointers,
        "old": state.old,
    }
