"""`ieat instructions`: the banks of spoken questions: list them, check them, let an LLM write more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.build import ProfileOpt
from ieat_data.cli.names import completing, one_of

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


Task = Literal["trajectory", "reasoning"]
Language = Literal["en", "zh"]


@app.command("list")
def list_banks(
    as_json: Annotated[
        bool, json_option("banks: for each task, language, one key for each status, all, plain, first")
    ] = False,
) -> None:
    """Count the instructions of each bank by status, after people's decisions (decisions/, ieat review).

    `plain`: worded as plainly as can be; `first`: may be asked before the utterance. Rejected ones are not in these.

    Example: ieat instructions list
    """
    from collections import Counter

    from ieat_data.cli.show import new_table, print_table
    from ieat_data.config import Pipeline, Sources
    from ieat_data.decisions.verdicts import of_pipeline
    from ieat_data.prompting.instruction_bank import STATUSES, shipped
    from ieat_data.stages.dialogue.questions import judged, written

    verdicts = of_pipeline(Pipeline(name="any", sources=Sources(), configs=()))
    banks: list[dict[str, Any]] = []
    for path in shipped():
        task, language, _ = path.name.split(".")
        held = judged(task, language, verdicts)
        counts = Counter(one.status for one in held)
        left = [p for p in zip(written(task, language), held, strict=True) if p[1].status != "rejected"]
        plain = sum(line.register == "plain" for line, _ in left)
        first = sum(not (now.needs_context or now.short_form) for _, now in left)
        sums = {"all": counts.total(), "plain": plain, "first": first}
        banks.append({"task": task, "language": language, **{s: counts[s] for s in STATUSES}, **sums})
    if as_json:
        put({"banks": banks})
        return
    table = new_table("task", "language", *STATUSES, "all", "plain", "first")
    for bank in banks:
        table.add_row(*(str(value or (0 if key in ("plain", "first") else "")) for key, value in bank.items()))
    print_table(table)


@app.command()
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Banks; default: those of prompts/instructions.")] = None,
    at_least: Annotated[int, typer.Option(min=0, help="Fewer checked or accepted ones than this are a fault.")] = 0,
    as_json: Annotated[bool, json_option("banks: for each file, instructions, faults")] = False,
) -> None:
    """Check each text of a bank: language, length, on task, no presuppositions, no near-duplicate.

    Prints one line per fault; exit 1 if there is one.

    Example: ieat instructions check my-bank.jsonl
    """
    from ieat_data.apps.instructions.examine import examine
    from ieat_data.cli.show import printable
    from ieat_data.prompting.instruction_bank import read, shipped

    faults = 0
    told: list[dict[str, Any]] = []
    for path in files or shipped():
        bank = read(path)
        found = [f"{f.id}: {f.reason}: {f.message}" for f in examine(bank)]
        usable = sum(i.status in ("checked", "accepted") for i in bank)
        if usable < at_least:
            found.append(f"{usable} are checked or accepted, expected at least {at_least}")
        faults += len(found)
        told.append({"file": str(path), "instructions": len(bank), "faults": found})
        if as_json:
            continue
        for line in found:
            typer.echo(printable(f"{path.name}: {line}"))
        typer.echo(f"{path.name}: {len(bank)} instructions, {len(found) or 'no'} fault{'s' if len(found) > 1 else ''}")
    if as_json:
        put({"banks": told})
    if faults:
        raise typer.Exit(1)


@app.command()
def propose(
    task: Annotated[
        str,
        typer.Option(
            metavar="trajectory|reasoning",
            help="The task of the questions.",
            autocompletion=completing(lambda: get_args(Task)),
        ),
    ],
    language: Annotated[str, typer.Option(metavar="en|zh", help="Their language.")],
    count: Annotated[int, typer.Option(min=1, help="Maximum number to add.")] = 40,
    profile: ProfileOpt = "cpu",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where they are added.", show_default="the bank, as your project has it"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other proposals.")] = 0,
    as_json: Annotated[bool, json_option("bank, kept, wanted, asked, left_out, examples")] = False,
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

    one_of("--task", task, get_args(Task))
    one_of("--language", language, get_args(Language))
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
    if as_json:
        counts = {"kept": made.texts, "wanted": count, "asked": made.asked}
        put({"bank": str(target), **counts, "left_out": dict(made.rejected), "examples": made.examples})
        return
    _show(made, count, target)


def _show(made: Proposals, count: int, target: Path) -> None:
    from ieat_data.cli.show import escape, new_console, new_table, print_table

    new_console().print(
        f"kept {len(made.texts)} of {count} wanted, from {made.asked} requests → {target}", soft_wrap=True
    )
    if made.rejected:
        table = new_table("left out", "lines")
        table.add_column("for example")
        for reason, n in made.rejected.most_common():
            table.add_row(reason, str(n), escape(made.examples[reason]))
        print_table(table)
