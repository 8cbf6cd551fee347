"""Precision and recall of each check of generated texts, on answers that a person labelled.

`python -m evaluation.checks` prints the table of docs/quality.md; with `--write` it puts it there.

answers.jsonl     one line an answer: what the checks see, and `faults`: what is wrong with it, by the reason codes.
                  Faults that no check looks for: `untrue` (wrong or made up), `muddled` (makes no sense).
                  `part`: the batch that it was read in. The checks were changed after each.
                  `rubric`: what an answer about a dialogue lacks of the benchmark's rubric, which is no fault by itself
examples.json     the worked examples that the model was shown, by the name in a row's `examples`: their thoughts
                   (in all their wordings), their answers, and the words that betray a copy
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ieat_data.checks import closing, reply, think
from ieat_data.checks.base import Rejected, Said, failing
from ieat_data.checks.rubric import FLAT_TRAJECTORY, ONE_TURN, RUBRIC
from ieat_data.data.emotions import Labels
from ieat_data.engines.base import Completion
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import Turn
from ieat_data.prompting.files import Example, ExampleTurn

FOLDER = Path(__file__).parent
DOCS = FOLDER.parent / "docs" / "quality.md"
BEGIN, END = "<!-- evaluation/checks.py -->\n", "<!-- end -->\n"
UNCHECKED = {"untrue": "is wrong or made up", "muddled": "makes no sense"}
# facts of the completion that leave nothing to judge
CLOSING = frozenset(c.code for c in (*closing.REPLY, *closing.TARGET))
_LISTED = (("thought", think.THOUGHT), ("answer", think.ANSWER))


@dataclass(frozen=True)
class Judged:
    """An answer's faults by its reader, and the codes of all checks that it fails."""

    row: dict[str, Any]
    faults: frozenset[str]
    found: frozenset[str]


@dataclass(frozen=True)
class Score:
    """Of one check: how many answers have the fault, how many it rejects, how many of those have it or any fault."""

    labelled: int
    rejected: int
    right: int
    unfit: int

    @property
    def precision(self) -> float | None:
        return self.right / self.rejected if self.rejected else None

    @property
    def recall(self) -> float | None:
        return self.right / self.labelled if self.labelled else None


def answers() -> list[dict[str, Any]]:
    lines = (FOLDER / "answers.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


@functools.cache
def _shown(name: str | None, task: str, language: str) -> tuple[Example, ...]:
    if name is None:
        return ()
    examples = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))[name][f"{task}.{language}"]
    turn = (ExampleTurn(transcript="-"),)
    return tuple(
        Example(turns=turn, think=e.get("think", ""), answer=e["answer"], leaks=tuple(e["leaks"])) for e in examples
    )


@functools.cache
def _labels() -> Labels:
    return Labels.load(prompts_dir() / "labels.yaml")


def judge(row: dict[str, Any]) -> Judged:
    """Every check of the row's kind of text, not only the first that it fails."""
    completion = Completion(tuple(row["parts"]), row["finish_reason"])
    task, language = row["task"], row["language"]
    shown = _shown(row["examples"], task, language)
    turns = [Turn(text, label) for text, label in row["turns"]]
    if task == "respond":
        said = reply.answer(language, turns[0].transcript, completion, shown)
        found = [said.reason] if isinstance(said, Rejected) else list(failing(reply.SPOKEN, said))
    else:
        pair = think.thought_and_answer(task, language, completion, turns, row["question"], _labels(), shown)
        if isinstance(pair, Rejected):
            found = [pair.reason]
        else:
            found = [*failing(think.THOUGHT, pair[0]), *failing(think.ANSWER, pair[1])]
    return Judged(row, frozenset(row["faults"]), frozenset(found))


def score(code: str, judged: Iterable[Judged]) -> Score:
    rows = [j for j in judged if not j.faults & CLOSING]
    hit = [j for j in rows if code in j.found]
    right = sum(code in j.faults for j in hit)
    return Score(sum(code in j.faults for j in rows), len(hit), right, sum(bool(j.faults) for j in hit))


def table(judged: Sequence[Judged]) -> str:
    """The tables of docs/quality.md."""
    lines = [
        "| code | a text that | labelled | rejected | precision | recall | unfit |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, checks in _LISTED:
        lines.append(f"| **{kind}** | | | | | | |")
        for check in checks:
            s = score(check.code, judged)
            shares = " | ".join(
                share(*x) for x in ((s.right, s.rejected), (s.right, s.labelled), (s.unfit, s.rejected))
            )
            lines.append(f"| `{check.code}` | {check.says} | {s.labelled} | {s.rejected} | {shares} |")
    lines += [
        "",
        "| all checks together | answers | unfit | rejected of the unfit | rejected of the fit |",
        "|---|---|---|---|---|",
    ]
    for part in dict.fromkeys(j.row["part"] for j in judged):
        lines.append(_together(f"{part} batch", [j for j in judged if j.row["part"] == part]))
    lines.append(_together("all", judged))
    lines += ["", "| what no check looks for | answers | of them rejected for something else |", "|---|---|---|"]
    for code, says in UNCHECKED.items():
        having = [j for j in judged if code in j.faults]
        lines.append(f"| `{code}`: {says} | {len(having)} | {sum(bool(j.found) for j in having)} |")
    return "\n".join([*lines, "", *_rubric([j.row for j in judged])]) + "\n"


def lacking(row: dict[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """What a labelled answer about a dialogue lacks of the rubric: by its reader, and by the checks that see it."""
    turns = tuple(Turn(text, label) for text, label in row["turns"])
    said = Said(row["parts"][1], row["task"], row["language"], turns, row["question"], labels=_labels())
    return frozenset(row["rubric"]), frozenset(failing(RUBRIC, said))


def _rubric(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table of the checks that a pipeline may ask for."""
    lines = [
        "| for a pipeline that asks for it | an answer that | read | labelled | rejected | precision | recall |",
        "|---|---|---|---|---|---|---|",
    ]
    for check, task in ((FLAT_TRAJECTORY, "trajectory"), (ONE_TURN, "reasoning")):
        pairs = [lacking(r) for r in rows if "rubric" in r and r["task"] == task]
        labelled = [check.code in of for of, _ in pairs]
        hit = [check.code in found for _, found in pairs]
        right = sum(a and b for a, b in zip(labelled, hit, strict=True))
        shares = f"{share(right, sum(hit))} | {share(right, sum(labelled))}"
        lines.append(f"| `{check.code}` | {check.says} | {len(pairs)} | {sum(labelled)} | {sum(hit)} | {shares} |")
    return lines


def _together(name: str, judged: Sequence[Judged]) -> str:
    unfit = [j for j in judged if j.faults]
    fit = [j for j in judged if not j.faults]
    caught, lost = sum(bool(j.found) for j in unfit), sum(bool(j.found) for j in fit)
    of_unfit, of_fit = f"{caught} ({share(caught, len(unfit))})", f"{lost} of {len(fit)} ({share(lost, len(fit))})"
    return f"| {name} | {len(judged)} | {len(unfit)} | {of_unfit} | {of_fit} |"


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def write(begin: str, made: str) -> None:
    """Put tables into the docs, between the line `begin` and the next END."""
    head, _, rest = DOCS.read_text(encoding="utf-8").partition(begin)
    DOCS.write_text(head + begin + made + END + rest.partition(END)[2], encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/quality.md")
    made = table([judge(row) for row in answers()])
    if parser.parse_args().write:
        write(BEGIN, made)
    print(made, end="")


if __name__ == "__main__":
    main()
