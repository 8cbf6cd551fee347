"""`ieat`: the commands. They import what they call only when they run, so that `ieat --help` is fast."""

from __future__ import annotations

import gc
import io
import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from ieat_data import stopping
from ieat_data.cli.commands import Group
from ieat_data.cli.faults import absent_extra, line, wrong_argument
from ieat_data.errors import NothingRead, UserError
from ieat_data.logs import on_terminal
from ieat_data.masking import masked
from ieat_data.paths import use_project

_log = logging.getLogger(__name__)
# what they have done stays, and the same command goes on from there
_RESUME = {"build", "ingest", "models", "push", "export"}
_BEGIN_AGAIN = {"report", "instructions", "check", "doctor", "verify"}  # nothing of what they leave is in the way

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=(
        "Build IEAT training data for emotionally intelligent spoken language models.\n\n"
        "Start with: ieat build stage1-2 --profile cpu --out data/stage1-2"
    ),
)


def _version(asked: bool) -> None:
    if asked:
        from ieat_data.version import __version__

        typer.echo(f"ieat-data {__version__}")
        raise typer.Exit


@app.callback()
def settings(
    context: typer.Context,
    project: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Your project folder (it has an ieat.toml): its pipelines, prompts, sources, recordings and Python "
            "modules come before ours, decisions are written there.",
            show_default="IEAT_PROJECT, else the working directory if it has an ieat.toml",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and exit.", is_eager=True, callback=_version)
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more on standard error; IEAT_LOG=debug does the same.")
    ] = False,
) -> None:
    """Set the project folder and the level of messages for all commands."""
    stopping.resumes(context.invoked_subcommand in _RESUME)
    if context.invoked_subcommand in _BEGIN_AGAIN:
        stopping.begins_again()
    on_terminal(verbose)
    if project is not None:
        use_project(project)


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    print(masked("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr, end="")


def main() -> None:
    """Run `ieat`: an error that the user can fix is one line, with exit code 2; one of the file system, with 1.

    A source without a row also ends it with 1; a signal with 128 + its number.
    """
    sys.excepthook = _told
    gc.set_threshold(20_000, 20, 20)  # what modules make stays: looking through it again and again costs a tenth
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without UTF-8 shows what it lacks as an escape
            stream.reconfigure(errors="backslashreplace")
    if wrong := wrong_argument(sys.argv[1:]):
        _failed(UserError(wrong))
    stopping.install()
    try:
        app(standalone_mode=True)
    except SystemExit as e:
        if stopping.received() is None or not e.code:  # a server is ended by a signal, and has done its work then
            raise
    except BaseException as e:
        if stopping.received() is None:
            _failed(e)
    stopping.leave()


def _failed(error: BaseException) -> NoReturn:
    if isinstance(error, UserError):
        print(masked(f"ieat: {error}"), file=sys.stderr)
        sys.exit(1 if isinstance(error, NothingRead) else 2)
    told = line(error) if isinstance(error, OSError) else None
    if isinstance(error, ModuleNotFoundError) and (lacking := absent_extra(error)):
        _failed(UserError(lacking))
    if told is None:
        raise error
    _log.debug("refused by the operating system", exc_info=True)
    print(masked(f"ieat: {told}"), file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
