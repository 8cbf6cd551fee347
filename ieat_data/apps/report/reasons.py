"""What a reject code stands for, in one line, where its stage says it; of any other the code has to do."""

from __future__ import annotations

from collections.abc import Iterable

from ieat_data.stages import STAGES


def says(stage: str, code: str) -> str | None:
    """Return the line of a code in a stage, beginning with a capital; None where there is none."""
    line = STAGES[stage].reasons().get(code) if stage in STAGES else None
    return line[0].upper() + line[1:].replace("`", "") if line else None


def lines(stage: str, codes: Iterable[str]) -> dict[str, str]:
    """Return code → line, of those that have one."""
    return {code: line for code in codes if (line := says(stage, code))}
