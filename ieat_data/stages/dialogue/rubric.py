"""How many accepted answers miss what a benchmark's rubric asks for: counted, also where no pipeline rejects them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from ieat_data.checks.base import Said
from ieat_data.checks.rubric import FLAT_TRAJECTORY, ONE_TURN, RUBRIC
from ieat_data.data.rows import Target
from ieat_data.prompting.base import Turn
from ieat_data.stages.base import Context, Made
from ieat_data.stages.row_by_row import Child

REASONS: Mapping[str, str] = {check.code: f"{check.says} (where a pipeline asks for it)" for check in RUBRIC}
# which targets a check is about
_CONCERNS: Mapping[str, Callable[[Target], bool]] = {
    FLAT_TRAJECTORY.code: lambda t: t.task == "trajectory",
    ONE_TURN.code: lambda t: t.task == "reasoning" and len(t.turns) > 1,
}


def count(children: Iterable[Child[Target]], ctx: Context) -> None:
    """Note of each check of the rubric how many accepted targets it is about, and how many of them fail it."""
    counts: dict[str, Counter[str]] = {c.code: Counter(answers=0, failing=0) for c in RUBRIC}
    for target in (c.row for c in children if c.reject is None):
        turns = tuple(Turn(t.transcript, t.emotion.label) for t in target.turns)
        question = target.instruction.text if target.instruction else None
        said = Said(target.answer, target.task, target.language, turns, question)
        for check in RUBRIC:
            if _CONCERNS[check.code](target):
                counts[check.code].update(answers=1, failing=check.fails(said))
    ctx.notes["rubric"] = {code: dict(c) for code, c in counts.items()}


def described(made: Sequence[Made]) -> dict[str, dict[str, int]]:
    """Return the manifest's section: by reason code, how many accepted answers there are and how many fail."""
    total: dict[str, Counter[str]] = {c.code: Counter(answers=0, failing=0) for c in RUBRIC}
    for m in made:
        for record in m.records.values():
            for code, counts in record.summary.get("rubric", {}).items():
                total[code].update(counts)
    return {code: dict(c) for code, c in total.items()}
