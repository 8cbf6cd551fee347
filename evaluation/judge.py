"""What the optional judge is worth: its numbers for labelled answers, against what the reader says of them.

`python -m evaluation.judge` prints the tables of docs/quality.md; with `--write` it puts them there. With
`--ask PROFILE` the LLM of that profile first judges what judged.jsonl lacks: delete it to have all judged again, or the
lines of a criterion whose words have changed.

judged.jsonl      one line a criterion of an answer (`id` in answers.jsonl): the number with the scale explained upwards
                  (`first`) and downwards (`second`), the mean that both expect, and who judged

Judged are the answers with a think block that every check lets through: nobody asks the judge about others.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from evaluation.checks import FOLDER, answers, judge, share
from evaluation.words import command_line
from ieat_data.checks.think import thought_and_answer
from ieat_data.config import Profile
from ieat_data.data.agreement import kappa
from ieat_data.data.emotions import Labels
from ieat_data.engines import registry
from ieat_data.engines.base import Choose, Chosen, Completion, Failure
from ieat_data.engines.client import answered
from ieat_data.engines.llm.descriptor import Descriptor, load_descriptor
from ieat_data.errors import UserError
from ieat_data.execution.ray_pools import one_pool
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import Turn
from ieat_data.prompting.judging import JudgeFile, judge_requests, load_judge, read_numbers

JUDGED = FOLDER / "judged.jsonl"
BEGIN = "<!-- evaluation/judge.py -->\n"
LIMITS = (3.0, 3.5, 3.75, 4.0, 4.25)
_DRAWS, _SEED = 2000, 0
_FEW = 5  # answers of a kind, below which nothing is said

Row = dict[str, Any]


def let_through() -> list[Row]:
    """The labelled answers that the judge is asked about."""
    return [j.row for j in map(judge, answers()) if j.row["task"] != "respond" and not j.found]


def file_of(row: Row, criteria: Collection[str] | None = None) -> JudgeFile:
    """The judge's file for an answer, or what it says of some of the criteria."""
    file = load_judge(prompts_dir(), row["task"], row["language"])
    if criteria is None:
        return file
    return file.model_copy(update={"criteria": {c: asked for c, asked in file.criteria.items() if c in criteria}})


def requests(row: Row, file: JudgeFile, labels: Labels, descriptor: Descriptor) -> list[Choose]:
    """What the stage asks about an answer. The replies between the turns of a dialogue were not kept with it."""
    completion = Completion(tuple(row["parts"]), row["finish_reason"])
    turns = [Turn(text, label) for text, label in row["turns"]]
    pair = thought_and_answer(row["task"], row["language"], completion, turns, row["question"], labels)
    assert isinstance(pair, tuple), "every check lets it through"
    heard = [Turn(t.transcript, labels.words(t.label, row["language"]).word) for t in turns]
    return judge_requests(file, heard, row["question"], pair[1].text, descriptor)


def ask(profile: Profile, lacking: Sequence[tuple[Row, JudgeFile]]) -> Iterator[list[Row]]:
    """The lines of judged.jsonl about each answer, by the criteria of its file, as they arrive.

    Raises UserError where the profile's LLM cannot be asked, or fails.
    """
    if faults := registry.missing("llm", profile):
        raise UserError("\n      ".join(faults))
    settings = profile.engines["llm"].settings
    labels, descriptor = Labels.load(prompts_dir() / "labels.yaml"), load_descriptor(str(settings["descriptor"]))
    asked = [requests(row, file, labels, descriptor) for row, file in lacking]
    with one_pool(profile, "llm", print) as pool:
        for i, given, _ in answered(pool, "choose", asked):
            yield _lines(*lacking[i], given, str(settings["model"]))


def _lines(row: Row, file: JudgeFile, given: Sequence[Chosen | Failure], model: str) -> list[Row]:
    if failed := next((a for a in given if isinstance(a, Failure)), None):
        raise UserError(f"engine llm: answer {row['id']}: {failed.reason}: {failed.message}")
    chosen = [a for a in given if isinstance(a, Chosen)]
    numbers = [asdict(n) for n in read_numbers(file, chosen)]
    return [{"id": row["id"], **n, "expected": round(n["expected"], 4), "model": model} for n in numbers]


def judged() -> list[Row]:
    """The lines of judged.jsonl, an answer's together and in the order of its criteria."""
    if not JUDGED.is_file():
        return []
    lines = [json.loads(line) for line in JUDGED.read_text(encoding="utf-8").splitlines()]
    place = {row["id"]: (i, list(file_of(row).criteria)) for i, row in enumerate(answers()) if row["task"] != "respond"}
    return sorted(lines, key=lambda line: (place[line["id"]][0], place[line["id"]][1].index(line["criterion"])))


def auc(fit: ArrayLike, unfit: ArrayLike) -> float:
    """How often a fit answer has the higher score than an unfit one, ties by half: the area under the ROC curve."""
    above = np.subtract.outer(np.asarray(fit), np.asarray(unfit))
    return float(np.mean(above > 0) + np.mean(above == 0) / 2)


def interval(fit: Sequence[float], unfit: Sequence[float]) -> tuple[float, float]:
    """The middle 95 % of the area, fit and unfit answers drawn again."""
    draw = np.random.default_rng(_SEED)
    areas = [auc(draw.choice(fit, len(fit)), draw.choice(unfit, len(unfit))) for _ in range(_DRAWS)]
    low, high = np.quantile(areas, (0.025, 0.975))
    return float(low), float(high)


def table(lines: Sequence[Row]) -> str:
    """The tables of docs/quality.md. An answer that a check finds by now is left out."""
    rows = {row["id"]: row for row in let_through()}
    lines = [line for line in lines if line["id"] in rows]
    by_criterion: dict[str, list[Row]] = defaultdict(list)
    by_answer: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        by_criterion[f"{rows[line['id']]['task']}.{line['criterion']}"].append(line)
        by_answer[line["id"]].append(line["expected"])
    # an answer has a mean once every criterion of its task is judged
    whole = {i: numbers for i, numbers in by_answer.items() if len(numbers) == len(file_of(rows[i]).criteria)}
    scores = {i: sum(numbers) / len(numbers) for i, numbers in whole.items()}
    made = [
        "| criterion | answers | share of 1, 2, 3, 4, 5 | both orders equal | kappa | fit above unfit (ROC AUC) |",
        "|---|---|---|---|---|---|",
    ]
    for name, of in sorted(by_criterion.items()):
        made.append(_criterion(f"`{name}`", of, rows))
    made += [
        _criterion("all", lines, rows, with_area=False),
        "",
    ]
    if not scores:
        return "\n".join(made[:-1]) + "\n"
    made += [
        "| mean of the criteria | fit | unfit | mean of the fit | of the unfit | fit above unfit (ROC AUC) |",
        "|---|---|---|---|---|---|",
    ]
    for key in ("task", "language"):
        for value in sorted({rows[i][key] for i in scores}):
            made.append(_apart(value, {i: s for i, s in scores.items() if rows[i][key] == value}, rows))
    felt = {i: s for i, s in scores.items() if any(label != "neutral" for _, label in rows[i]["turns"])}
    made += [
        _apart("a feeling was heard", felt, rows),
        _apart("all", scores, rows),
        "",
        "| `min_score` | rejected of the unfit | rejected of the fit | fit among what stays |",
        "|---|---|---|---|",
    ]
    fit, unfit = _split(scores, rows)
    for limit in (0.0, *LIMITS):
        gone, lost = sum(s < limit for s in unfit), sum(s < limit for s in fit)
        stays = len(fit) - lost
        kept = share(stays, stays + len(unfit) - gone)
        made.append(
            f"| {limit or 'none'} | {gone} of {len(unfit)} ({share(gone, len(unfit))}) "
            f"| {lost} of {len(fit)} ({share(lost, len(fit))}) | {kept} |"
        )
    return "\n".join(made) + "\n"


def _criterion(name: str, lines: Sequence[Row], rows: Mapping[str, Row], with_area: bool = True) -> str:
    pairs = Counter(f"{line['first']},{line['second']}" for line in lines)
    numbers = Counter(n for line in lines for n in (line["first"], line["second"]))
    shares = ", ".join(share(numbers[n], 2 * len(lines)) for n in range(1, 6))
    equal, weighted = kappa(pairs)
    fit, unfit = _split({line["id"]: line["expected"] for line in lines}, rows)
    area = _area(fit, unfit) if with_area else ""
    said = "–" if weighted is None else f"{weighted:.2f}"
    return f"| {name} | {len(lines)} | {shares} | {100 * equal:.0f} % | {said} | {area} |"


def _apart(name: str, scores: Mapping[str, float], rows: Mapping[str, Row]) -> str:
    fit, unfit = _split(scores, rows)
    means = " | ".join(f"{np.mean(of):.2f}" if of else "–" for of in (fit, unfit))
    return f"| {name} | {len(fit)} | {len(unfit)} | {means} | {_area(fit, unfit)} |"


def _split(scores: Mapping[str, float], rows: Mapping[str, Row]) -> tuple[list[float], list[float]]:
    """(scores of the fit answers, of the unfit ones)."""
    fit = [s for i, s in scores.items() if not rows[i]["faults"]]
    return fit, [s for i, s in scores.items() if rows[i]["faults"]]


def _area(fit: Sequence[float], unfit: Sequence[float]) -> str:
    if min(len(fit), len(unfit)) < _FEW:
        return "too few"
    low, high = interval(fit, unfit)
    return f"{auc(fit, unfit):.2f} ({low:.2f} to {high:.2f})"


def _complete(profile: Profile) -> None:
    """Have judged.jsonl hold all that are let through. Raises UserError where it holds another model's numbers."""
    lines, model = judged(), str(profile.engines["llm"].settings["model"])
    if other := {line["model"] for line in lines} - {model}:
        raise UserError(f"{JUDGED}: holds numbers of {', '.join(sorted(other))}: move it away first, to ask {model}")
    there: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        there[line["id"]].add(line["criterion"])
    files = [(row, file_of(row, set(file_of(row).criteria) - there[row["id"]])) for row in let_through()]
    if lacking := [(row, file) for row, file in files if file.criteria]:
        with JUDGED.open("a", encoding="utf-8") as f:
            for given in ask(profile, lacking):
                f.writelines(json.dumps(line) + "\n" for line in given)
                f.flush()


def main() -> None:
    command_line(__doc__ or "", BEGIN, _complete, lambda: table(judged()))


if __name__ == "__main__":
    main()
