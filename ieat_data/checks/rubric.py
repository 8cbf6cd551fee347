"""What a benchmark's rubric asks of an answer and a rule can see. No fault by itself: a pipeline names the checks.

    checks: {answer: [flat_trajectory, one_turn]}

Without that they only count: `manifest.json` says under `rubric` how many of the accepted answers they would reject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ieat_data.checks.base import Check, Said
from ieat_data.checks.words import overlap

# how strong: not `very` alone, which says it of anything, but beside a feeling
_FEELING = (
    r"(?:happy|happiness|joy\w*|sad\w*|ang\w+|fear\w*|neutral|surpris\w+|disgust\w*|upset|shaken|moved|relieved|glad"
    r"|proud|scared|calm\w*|hurt|feeling|mood|emotion)"
)
_STRENGTH = {
    "en": re.compile(
        r"\b(?:very|so|really|quite|rather|too|truly|deeply|terribly|extremely|incredibly|utterly|completely|totally"
        r"|purely?|greatly|slightly|mildly|a (?:little|bit|touch)|somewhat|more|much|full of|great|deep|strong|mild"
        rf"|intense|pure|sheer|real)(?: \w+)? {_FEELING}"
        r"|\b(?:strongly|strong(?:er|est)|intense(?:ly)?|intensity|overwhelm\w*|intensified|more and more"
        r"|even more|grew|growing|deepen\w*|flar\w+ up|burst|boil(?:ed|ing) over|peak\w*|soar\w*|fad(?:ed?|ing)"
        r"|eas(?:ed|ing)|softened|sank|heav(?:y|ily)|rush(?:ed)? of|wave of|flood\w*)\b"
    ),
    "zh": re.compile(
        r"非常|特别|十分|极了|极其|极度|格外|无比|相当|有点|有些|稍微|略微|微微|淡淡|越来越|更加|更(?=生气|难过|开心|害怕)"
        r"|强烈|深深|得很深|满心|满腔|整个人都|不得了|要命|不已|大(?=怒|喜|惊)|火气?(?:越来越|更)大|一肚子|真的很"
    ),
}
_SPEED = {
    "en": re.compile(
        r"\b(?:sudden(?:ly)?|all at once|at once|abrupt(?:ly)?|instant(?:ly)?|immediate(?:ly)?|right away"
        r"|out of nowhere|(?:in|within|for) (?:a|one) (?:moment|second|flash|minute|heartbeat)"
        r"|from one (?:moment|second|minute)|quick(?:ly)?|fast|swift(?:ly)?|sharp(?:ly)?|slow(?:ly)?"
        r"|gradual(?:ly)?|bit by bit|little by little"
        r"|step by step|steadi(?:ly|er)|by degrees|over time|(?:the )?moment (?:you|she|he|they)|shot up|snapped|jumped"
        r"|like a switch|plunged|dropped|flipped|swung|gave way)\b"
    ),
    "zh": re.compile(
        r"一下(?:子|就)|突然|忽然|瞬间|马上|立刻|立马|顿时|转眼|转瞬|刹那|猛地|骤然|随即|很快|迅速|慢慢|渐渐|逐渐|缓缓|一点点|一点一点"
        r"|一步步|几乎同时|当即|急转"
    ),
}


def flat_trajectory(s: Said) -> bool:
    """Tells of no change of the emotion how strong or how sudden it was.

    The user's own words do not count: that something broke suddenly says nothing of the feeling.
    """
    if s.task != "trajectory":
        return False
    told = " ".join(s.transcripts).lower()
    found = (m[0] for p in (_STRENGTH, _SPEED) for m in p[s.language].finditer(s.plain()))
    return all(word in told for word in found)


def one_turn(s: Said) -> bool:
    """Explains the feelings of a dialogue out of one turn alone."""
    if s.task != "reasoning" or len(s.turns) < 2:
        return False
    return sum(bool(overlap(s.text, [t], s.language)) for t in s.transcripts) == 1


RUBRIC: tuple[Check[Said], ...] = (
    Check("flat_trajectory", flat_trajectory, "tells of no change how strong or how sudden it was"),
    Check("one_turn", one_turn, "explains the feelings of a dialogue out of one turn alone"),
)
# their names in a pipeline's `checks`
NAMES: Mapping[str, str] = {c.code: f"{__name__}:{c.code.upper()}" for c in RUBRIC}
FLAT_TRAJECTORY, ONE_TURN = RUBRIC
