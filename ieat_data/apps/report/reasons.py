"""What a reject code stands for, in one line, where the checks say it; of any other the code has to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ieat_data.checks import clip
from ieat_data.checks.catalogue import KINDS, documented

# which kinds of texts a stage judges: one code may stand for several things
_JUDGED: Mapping[str, tuple[str, ...]] = {
    "queries": ("query",),
    "pairs": ("transcript",),
    "respond": ("completion", "reply"),
    "inject": ("completion", "thought", "answer"),
    "inject_dialogues": ("completion", "thought", "answer"),
}
_CLIPS = documented(getattr(clip, code) for code in clip.REASONS)


def says(stage: str, code: str) -> str | None:
    """The line of a code in a stage, beginning with a capital; None where there is none."""
    kinds = (KINDS[kind] for kind in _JUDGED.get(stage, ()))
    line = next((lines[code] for lines in kinds if code in lines), _CLIPS.get(code))
    return line[0].upper() + line[1:].replace("`", "") if line else None


def lines(stage: str, codes: Iterable[str]) -> dict[str, str]:
    """code → line, of those that have one."""
    return {code: line for code in codes if (line := says(stage, code))}
