"""What the LLM says of labelled texts in one word (`engines/llm/options.py`), kept beside the labels.

Both `evaluation.kinds` and `evaluation.conflicts` keep what it said in a file of one line a text: `id`, `model`,
`prompts` (a hash of the prompt file), and the probability of each word. Lines of other prompts are asked again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
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


def hash_of(name: str) -> str:
    """What the answers depend on besides the text: the prompt files of both languages."""
    return fingerprint(prompt_hashes([f"{name}.*.yaml"]))[:12]


def complete(path: Path, name: str, options: Sequence[str], rows: Sequence[Row], profile: Profile) -> None:
    """Have the file hold what the profile's LLM says of all `rows`. Raises UserError where it cannot be asked."""
    model, prompts = str(profile.engines["llm"].settings["model"]), hash_of(name)
    kept = [x for x in lines_of(path) if (x["model"], x["prompts"]) == (model, prompts)]
    there = {x["id"] for x in kept}
    wanted = [row for row in rows if row["id"] not in there]
    made = [{"id": i, "model": model, "prompts": prompts, **p} for i, p in _weighed(name, options, wanted, profile)]
    by_id = {x["id"]: x for x in (*kept, *made)}
    lines = [json.dumps(by_id[row["id"]]) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")


def _weighed(
    name: str, options: Sequence[str], rows: Sequence[Row], profile: Profile
) -> Iterator[tuple[str, dict[str, float]]]:
    if not rows:
        return
    if faults := registry.missing("llm", profile):
        raise UserError("\n      ".join(faults))
    asks = Options(prompts_dir(), name, options, str(profile.engines["llm"].settings["descriptor"]))
    items = [(row["id"], row["language"], row["text"]) for row in rows]
    with one_pool(profile, "llm", print) as pool:

        def ask(requests: Sequence[Choose], whom: Sequence[str]) -> list[Any]:
            found = {i: given[0] for i, given, _ in answered(pool, "choose", [[r] for r in requests])}
            return [found[i] for i in range(len(requests))]

        for (i, _, _), p in zip(items, asks.weigh(items, ask), strict=True):
            if isinstance(p, Failure):
                raise UserError(f"engine llm: text {i}: {p.reason}: {p.message}")
            yield i, {option: round(value, 4) for option, value in p.items()}


def main(doc: str, begin: str, complete_with: Callable[[Profile], None], table: Callable[[], str]) -> None:
    """The command line of both."""
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
