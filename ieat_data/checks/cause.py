"""Does the text name the cause, and not only the feeling?"""

from __future__ import annotations

import re

from ieat_data.checks.base import Said
from ieat_data.checks.words import overlap

_CAUSE = {
    "en": re.compile(
        r"\b(?:because|since|due to|caused?|as a result|that's why|which is why|after|led to|the reason|stems?"
        r"|makes? (?:them|him|her)|made (?:them|him|her))\b"
    ),
    "zh": re.compile(r"因为|由于|因此|因而|导致|使得|引起|让(?:他|她|ta|用户)|来自|源于|出于|的结果|才会|毕竟"),
}


def no_cause(s: Said) -> bool:
    """Tell whether the thought neither takes up what the user said nor states a cause."""
    causal = _CAUSE[s.language].search(s.plain()) is not None
    return not causal and not overlap(s.text, s.transcripts, s.language)


def answer_no_cause(s: Said) -> bool:
    """Tell whether the answer only names feelings and takes up nothing of what the user said."""
    return s.task in ("reasoning", "trajectory") and not overlap(s.text, s.transcripts, s.language)


def asks_back(s: Said) -> bool:
    """Tell whether the answer to a question about the cause of a feeling is a question."""
    return s.task == "reasoning" and re.search(r"[?？]", s.text) is not None
