"""`ieat`: the commands. They import what they call only when they run, so that `ieat --help` is fast."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer

from ieat_data.cli import build, check, doctor, export, ingest, inspect, instructions, models, report, review, sources
from ieat_data.errors import UserError
from ieat_data.logs import on_terminal
from ieat_data.masking import masked
from ieat_data.paths import use_project

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "Build IEAT training data for emotionally intelligent spoken language models.\n\n"
        "Start with: ieat build stage1-2 --profile cpu --out data/stage1-2"
    ),
)


@app.callback()
def settings(
    project: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Your project folder (it has an ieat.toml): its pipelines, prompts, sources, recordings and Python "
            "modules come before ours, decisions are written there.",
            show_default="IEAT_PROJECT, else the working directory if it has an ieat.toml",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more on standard error; IEAT_LOG=debug does the same.")
    ] = False,
) -> None:
    """Set the project folder and the level of messages for all commands."""
    on_terminal(verbose)
    if project is not None:
        use_project(project)


for command in (build, check, doctor, inspect, export, report, review, ingest, sources):
    command.register(app)
app.add_typer(models.app, name="models")
app.add_typer(instructions.app, name="instructions")


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    print(masked("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr, end="")


def main() -> None:
    """Run `ieat`: an error that the user can fix is one line, with exit code 2."""
    sys.excepthook = _told
    try:
        app(standalone_mode=True)
    except UserError as e:
        print(masked(f"ieat: {e}"), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
