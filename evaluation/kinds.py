"""Precision and recall of the kinds of rows (`stages/dialogue/kind.py`) on labelled texts.

`python -m evaluation.kinds` prints the tables of docs/quality.md; with `--write` it puts them there, with
`--ask PROFILE` the LLM of that profile first says what kinds_said.jsonl and feelings_said.jsonl lack
(`evaluation/words.py`).

kinds.jsonl       one line a text: its kind, as a reader sees it who does not know what the model says.
                  `origin`: `sample` (the sample corpora), `sample_human` (human recordings among them), `trial` (texts
                  that earlier trials asked about), `public_domain` (sentences of old books), `written` (for this set).
                  `part`: with the third `tuned` the prompts were made, the rest was `held` back
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.checks import FOLDER, share
from evaluation.words import Question, Row, command_line, complete, lines_of, mixed
from ieat_data.config import Profile
from ieat_data.engines.ser import appraisal
from ieat_data.stages.dialogue.kind import KINDS, NAME, KindSettings, kind_of, weighed

LABELLED, SAID = FOLDER / "kinds.jsonl", FOLDER / "kinds_said.jsonl"
FEELINGS = Question(FOLDER / "feelings_said.jsonl", appraisal.NAME, appraisal.FEELINGS)
BEGIN = "<!-- evaluation/kinds.py -->\n"


@dataclass(frozen=True)
class Sorted:
    """A labelled text and the kind that the stage would give it."""

    row: Row
    found: str


def sorted_rows() -> list[Sorted]:
    kinds, feelings = ({line["id"]: line for line in lines_of(path)} for path in (SAID, FEELINGS.path))
    sure = KindSettings().sure
    return [
        Sorted(row, kind_of(weighed(kinds[row["id"]], feelings[row["id"]]), sure))
        for row in lines_of(LABELLED)
        if row["id"] in kinds and row["id"] in feelings
    ]


def table(rows: Sequence[Sorted]) -> str:
    """The tables of docs/quality.md."""
    lines = [
        "| kind | held back | sorted so | precision | recall | recall en | recall zh | tuned: precision, recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    held, tuned = ([s for s in rows if s.row["part"] == part] for part in ("held", "tuned"))
    for kind in KINDS:
        so, those, right = _counts(held, kind)
        by_language = (_counts([s for s in held if s.row["language"] == g], kind) for g in ("en", "zh"))
        recalls = " | ".join(share(r, o) for _, o, r in by_language)
        so_tuned, of_tuned, right_tuned = _counts(tuned, kind)
        lines.append(
            f"| {kind} | {those} | {so} | {share(right, so)} | {share(right, those)} | {recalls} "
            f"| {share(right_tuned, so_tuned)}, {share(right_tuned, of_tuned)} |"
        )
    lines += ["", "| held-back rows | sorted right |", "|---|---|"]
    origins = [("origin", o) for o in dict.fromkeys(s.row["origin"] for s in held)]
    parts = [("language", g) for g in ("en", "zh")] + origins
    of = [(f"{key} {value}", [s for s in held if s.row[key] == value]) for key, value in parts]
    for name, some in (("all", held), *of):
        right = sum(s.found == s.row["kind"] for s in some)
        lines.append(f"| {name} | {right} of {len(some)} ({share(right, len(some))}) |")
    lines += ["", "| a held-back row that is | " + " | ".join(f"is sorted as {k}" for k in KINDS) + " |"]
    lines.append("|---" * (len(KINDS) + 1) + "|")
    pairs = Counter((s.row["kind"], s.found) for s in held)
    lines += [f"| {a} | " + " | ".join(str(pairs[a, b]) for b in KINDS) + " |" for a in KINDS]
    return "\n".join(lines) + "\n"


def _counts(rows: Sequence[Sorted], kind: str) -> tuple[int, int, int]:
    """(rows sorted so, rows of the kind, both)."""
    so = [s for s in rows if s.found == kind]
    return len(so), sum(s.row["kind"] == kind for s in rows), sum(s.row["kind"] == kind for s in so)


def fill(profile: Profile) -> None:
    rows = mixed(lines_of(LABELLED))
    held = [row for row in rows if row["part"] == "held"]
    complete((Question(SAID, NAME, KINDS), FEELINGS), [*held, *(row for row in rows if row not in held)], profile)


if __name__ == "__main__":
    command_line(__doc__ or "", BEGIN, fill, lambda: table(sorted_rows()))
