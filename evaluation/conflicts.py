"""Whether a label contradicts the words: precision and recall of `appraise.conflict` on labelled pairs.

`python -m evaluation.conflicts` prints the table of docs/quality.md; with `--write` it puts it there, with
`--ask PROFILE` the LLM of that profile first says what feelings_said.jsonl lacks (`evaluation/words.py`).

conflicts.jsonl   one line a text: the feelings that fit its words, as a reader sees it (`fits`), and a label that might
                  be `heard`, drawn by hash: one that fits for about half of the texts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.checks import FOLDER, share
from evaluation.kinds import FEELINGS
from evaluation.words import Row, command_line, complete, lines_of, mixed
from ieat_data.config import Profile
from ieat_data.engines.ser.appraisal import FEELINGS as LABELS
from ieat_data.stages.dialogue.appraise import conflict_of
from ieat_data.stages.dialogue.inject import InjectSettings

LABELLED = FOLDER / "conflicts.jsonl"
BEGIN = "<!-- evaluation/conflicts.py -->\n"
LIMITS = (0.0, 0.3, 0.5, 0.6, 0.8, 0.9)


@dataclass(frozen=True)
class Compared:
    """A labelled text, whether the label contradicts it, and how strongly the words say so."""

    row: Row
    real: bool
    conflict: float


def compared() -> list[Compared]:
    said = {line["id"]: line for line in lines_of(FEELINGS.path)}
    found = []
    for row in lines_of(LABELLED):
        if words := said.get(row["id"]):
            conflict = conflict_of({f: words[f] for f in LABELS}, row["heard"])
            found.append(Compared(row, row["heard"] not in row["fits"], conflict))
    return found


def table(rows: Sequence[Compared]) -> str:
    """The table of docs/quality.md."""
    real = [c for c in rows if c.real]
    neutral = [c for c in rows if c.row["heard"] == "neutral"]
    lines = [
        f"{len(rows)} texts, {len(real)} of them with a label that contradicts the words.",
        "",
        "| `conflict_above` | strong conflicts | precision | recall | en | zh | a feeling was heard |",
        "|---|---|---|---|---|---|---|",
    ]
    parts = [[c for c in rows if c.row["language"] == g] for g in ("en", "zh")]
    parts.append([c for c in rows if c not in neutral])
    for limit in LIMITS:
        strong = [c for c in rows if c.conflict > limit]
        right = sum(c.real for c in strong)
        precisions = " | ".join(_precision(part, limit) for part in parts)
        name = f"**{limit}** (default)" if limit == InjectSettings().conflict_above else str(limit)
        lines.append(
            f"| {name} | {len(strong)} | {share(right, len(strong))} | {share(right, len(real))} | {precisions} |"
        )
    return "\n".join(lines) + "\n"


def _precision(rows: Sequence[Compared], limit: float) -> str:
    strong = [c for c in rows if c.conflict > limit]
    right = sum(c.real for c in strong)
    return f"{right} of {len(strong)}"


def fill(profile: Profile) -> None:
    complete((FEELINGS,), mixed(lines_of(LABELLED)), profile)


if __name__ == "__main__":
    command_line(__doc__ or "", BEGIN, fill, lambda: table(compared()))
