"""The meaning of a reject code in one line, if its stage states one; any other code must speak for itself."""

from __future__ import annotations

from collections.abc import Iterable

from ieat_data.stages import STAGES
from ieat_data.stages.base import Stage


def says(stage: str, code: str) -> str | None:
    """Return the line of a stage's code, beginning with a capital, or None if there is none."""
    return meaning(STAGES[stage], code) if stage in STAGES else None


def meaning(stage: Stage, code: str) -> str | None:
    """Return the same of a stage that may be a user's own."""
    line = stage.reasons().get(code)
    return line[0].upper() + line[1:].replace("`", "") if line else None


def lines(stage: str, codes: Iterable[str]) -> dict[str, str]:
    """Return code → line, for the codes that have one."""
    return {code: line for code in codes if (line := says(stage, code))}
