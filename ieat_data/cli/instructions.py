"""`ieat instructions`: the banks of spoken questions: list them, check them, let an LLM write more."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ieat_data.cli.build import ProfileOpt

if TYPE_CHECKING:
    from ieat_data.apps.instructions.propose import Proposals

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "The questions that trajectory and reasoning samples end with: prompts/instructions/TASK.LANGUAGE.jsonl.\n\n"
        "Statuses: proposed (by an LLM), checked (by the authors), accepted or rejected (by a person). "
        "A pipeline draws those with a status in its key `instructions.statuses`."
    ),
)


class Task(StrEnum):
    """The tasks that have instructions."""

    trajectory = "trajectory"
    reasoning = "reasoning"


class Language(StrEnum):
    """The languages of the banks."""

    en = "en"
    zh = "zh"


@app.command("list")
def list_banks() -> None:
    """Count the instructions of each bank by status, after people's decisions (decisions/, ieat review).

    `plain`: worded as plainly as can be; `first`: may be asked before the utterance. Rejected ones are not in these.

    Example: ieat instructions list
    """
    from collections import Counter

    from ieat_data.cli.show import new_console, new_table
    from ieat_data.config import Pipeline, Sources
    from ieat_data.decisions.verdicts import of_pipeline
    from ieat_data.prompting.instruction_bank import STATUSES, shipped
    from ieat_data.stages.dialogue.questions import judged, written

    verdicts = of_pipeline(Pipeline(name="any", sources=Sources(), configs=()))
    table = new_table("task", "language", *STATUSES, "all", "plain", "first")
    for path in shipped():
        task, language, _ = path.name.split(".")
        held = judged(task, language, verdicts)
        counts = Counter(one.status for one in held)
        left = [p for p in zip(written(task, language), held, strict=True) if p[1].status != "rejected"]
        plain = sum(line.register == "plain" for line, _ in left)
        first = sum(not (now.needs_context or now.short_form) for _, now in left)
        sums = (counts.total(), plain, first)
        table.add_row(task, language, *(str(counts[s] or "") for s in STATUSES), *map(str, sums))
    new_console().print(table)


@app.command()
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Banks; default: those of prompts/instructions.")] = None,
    at_least: Annotated[int, typer.Option(min=0, help="Fewer checked or accepted ones than this are a fault.")] = 0,
) -> None:
    """Check each text of a bank: language, length, on task, no presuppositions, no near-duplicate.

    Prints one line per fault; exit 1 if there is one.

    Example: ieat instructions check my-bank.jsonl
    """
    from ieat_data.apps.instructions.examine import examine
    from ieat_data.cli.show import printable
    from ieat_data.prompting.instruction_bank import read, shipped

    faults = 0
    for path in files or shipped():
        bank = read(path)
        found = [f"{f.id}: {f.reason}: {f.message}" for f in examine(bank)]
        usable = sum(i.status in ("checked", "accepted") for i in bank)
        if usable < at_least:
            found.append(f"{usable} are checked or accepted, expected at least {at_least}")
        for line in found:
            typer.echo(printable(f"{path.name}: {line}"))
        faults += len(found)
        typer.echo(f"{path.name}: {len(bank)} instructions, {len(found) or 'no'} fault{'s' if len(found) > 1 else ''}")
    if faults:
        raise typer.Exit(1)


@app.command()
def propose(
    task: Annotated[Task, typer.Option(help="The task of the questions.")],
    language: Annotated[Language, typer.Option(help="Their language.")],
    count: Annotated[int, typer.Option(min=1, help="Maximum number to add.")] = 40,
    profile: ProfileOpt = "cpu",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where they are added.", show_default="the bank, as your project has it"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other proposals.")] = 0,
) -> None:
    """Let the profile's LLM write instructions; add those that pass every check as `proposed`.

    No build draws them before a person accepts them (ieat review). Dropped ones are counted by reason.

    Example: ieat instructions propose --task reasoning --language en --count 20
    """
    from ieat_data.apps.instructions.propose import propose as run
    from ieat_data.apps.instructions.propose import tagged
    from ieat_data.config import load_profile
    from ieat_data.prompting.instruction_bank import append, number_on, own_path, path_of, read
    from ieat_data.storage.local import check_writable

    bank = path_of(task, language)
    target = out or own_path(task, language)
    held = [i for p in dict.fromkeys((bank, target)) if p.is_file() for i in read(p)]
    held = [i for i in held if i.bank == (task, language)]

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    check_writable(target.absolute().parent)
    made = run(load_profile(profile), task, language, held, count, seed, say)
    new = tagged(number_on(made.texts, task, language, held, made.origins))
    if out is None and not target.exists() and bank.is_file():
        new = [*read(bank), *new]  # a bank of the project replaces the shipped one
    append(target, new)
    _show(made, count, target)


def _show(made: Proposals, count: int, target: Path) -> None:
    from ieat_data.cli.show import escape, new_console, new_table

    console = new_console()
    console.print(f"kept {len(made.texts)} of {count} wanted, from {made.asked} requests → {target}", soft_wrap=True)
    if made.rejected:
        table = new_table("left out", "lines")
        table.add_column("for example")
        for reason, n in made.rejected.most_common():
            table.add_row(reason, str(n), escape(made.examples[reason]))
        console.print(table)
