"""What the LLM says of labelled texts in one word (`engines/llm/options.py`), kept beside the labels.

Both `evaluation.kinds` and `evaluation.conflicts` keep what it said in a file of one line a text: `id`, `model`,
`prompts` (a hash of the prompt file), and the probability of each word. Lines of other prompts are asked again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.checks import write
from ieat_data.config import Profile, load_profile
from ieat_data.engines import registry
from ieat_data.engines.base import Choose, Failure
from ieat_data.engines.client import answered
from ieat_data.engines.llm.options import Options
from ieat_data.errors import UserError
from ieat_data.execution.ray_pools import one_pool
from ieat_data.hashing import fingerprint
from ieat_data.paths import prompt_hashes, prompts_dir

Row = dict[str, Any]


def lines_of(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def mixed(rows: Iterable[Row]) -> list[Row]:
    """The rows in the order of their ids, which are hashes: what is asked so far is a fair part of all."""
    return sorted(rows, key=lambda row: str(row["id"]))


def hash_of(name: str) -> str:
    """What the answers depend on besides the text: the prompt files of both languages."""
    return fingerprint(prompt_hashes([f"{name}.*.yaml"]))[:12]


@dataclass(frozen=True)
class Question:
    """What is asked about texts (`prompts/NAME.{language}.yaml`), and the file that keeps what is said."""

    path: Path
    name: str
    options: Sequence[str]


def complete(questions: Sequence[Question], rows: Sequence[Row], profile: Profile) -> None:
    """Have the files hold what the profile's LLM says of all `rows`, row by row, should it break off.

    Raises UserError where it cannot be asked.
    """
    model = str(profile.engines["llm"].settings["model"])
    there: dict[str, set[str]] = {}
    for q in questions:
        kept = [x for x in lines_of(q.path) if (x["model"], x["prompts"]) == (model, hash_of(q.name))]
        q.path.write_text("".join(json.dumps(x) + "\n" for x in kept), encoding="utf-8")
        there[q.name] = {x["id"] for x in kept}
    wanted = [(row, q) for row in rows for q in questions if row["id"] not in there[q.name]]
    if not wanted:
        return
    if faults := registry.missing("llm", profile):
        raise UserError("\n      ".join(faults))
    descriptor = str(profile.engines["llm"].settings["descriptor"])
    asks = {q.name: Options(prompts_dir(), q.name, q.options, descriptor) for q in questions}
    with one_pool(profile, "llm", print) as pool:

        def ask(requests: Sequence[Choose], whom: Sequence[str]) -> list[Any]:
            found = {i: given[0] for i, given, _ in answered(pool, "choose", [[r] for r in requests])}
            return [found[i] for i in range(len(requests))]

        for row, q in wanted:
            (p,) = asks[q.name].weigh([(row["id"], row["language"], row["text"])], ask)
            if isinstance(p, Failure):
                raise UserError(f"engine llm: text {row['id']}: {p.reason}: {p.message}")
            said = {option: round(value, 4) for option, value in p.items()}
            with q.path.open("a", encoding="utf-8") as f:
                f.write(json.dumps({"id": row["id"], "model": model, "prompts": hash_of(q.name), **said}) + "\n")


def command_line(doc: str, begin: str, complete_with: Callable[[Profile], None], table: Callable[[], str]) -> None:
    """The command line of the evaluations that ask an LLM."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--ask", metavar="PROFILE", help="have the LLM of this profile say what is lacking")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/quality.md")
    args = parser.parse_args()
    if args.ask:
        try:
            complete_with(load_profile(args.ask))
        except UserError as e:
            parser.exit(2, f"{e}\n")
    made = table()
    if args.write:
        write(begin, made)
    print(made, end="")
