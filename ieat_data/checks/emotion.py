"""Does a text agree with the emotions that were injected?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ieat_data.checks.base import Said
from ieat_data.checks.words import sentences
from ieat_data.data.emotions import collapse

# what nobody says to someone who is sad, angry, afraid or disgusted ("what a great help" does not count)
_CHEER = {
    "en": re.compile(
        r"\b(?:congratulations|congrats|hooray|how (?:wonderful|exciting|lovely)"
        r"|i'm (?:so |really )?(?:happy|glad|thrilled) for you|(?:great|wonderful|fantastic|amazing|incredible) news"
        r"|(?:that|this)(?:'s| is| sounds| must be) (?:so |really |such |a |an )*"
        r"(?:great|wonderful|fantastic|amazing|awesome|exciting|fun|good news|lovely)"
        r"(?! (?:idea|question|way|plan|point)))\b"
    ),
    "zh": re.compile(
        r"恭喜|祝贺|太棒|真棒|太好了|好消息|为你(?:感到)?(?:高兴|开心)"
        r"|(?:真|太|很|多)(?:是)?(?:让人|令人)?(?:开心|高兴)(?:的一天|啊|呀|！)"
    ),
}
# ... and to someone who is happy
_CONSOLE = {
    "en": re.compile(
        r"\b(?:i'm (?:so |very |really )?sorry|sorry (?:to hear|about|for)|how (?:awful|terrible|sad)|cheer up"
        r"|that must (?:be|have been|hurt|feel) (?:so |really |very )?"
        r"(?:hard|difficult|tough|awful|terrible|frustrating|sad|scary)|don't (?:worry|be sad))\b"
    ),
    "zh": re.compile(
        r"别难过|别担心|不要(?:难过|担心|伤心)|节哀|(?:很|真|太)?(?:遗憾|可惜|抱歉)|心疼|一定很(?:难过|伤心|难受)"
    ),
}
# said about someone who is well, and about someone who is not
_WELL = {
    "en": re.compile(
        r"\b(?:feel|feels|feeling|felt) (?:so |very |really )?(?:good|great|happy|proud|satisfied|excited)\b"
    ),
    "zh": re.compile(r"(?:感到|觉得|感觉|非常|很|太)(?:很)?(?:满足|高兴|开心|幸福|自豪|满意)"),
}
_UNWELL = {
    "en": re.compile(
        r"\b(?:feel|feels|feeling|felt) (?:so |very |really |like you were )?"
        r"(?:upset|hurt|disappointed|frustrated|ignored|anxious|uncomfortable|annoyed|lonely|abandoned|bad)\b"
    ),
    "zh": re.compile(r"不(?:太)?(?:开心|高兴|满|舒服|安)|失望|难受|委屈|失落|很累|紧张|焦虑|愤怒"),
}
# "In the third turn you ...", "你第二次说话的时候": speaks of one turn, up to the next such mark or the sentence's end
_ORDINAL = {
    "en": re.compile(
        r"(?:^|[,;:] )(?:(?:and|then|but|finally) )*(?:in|by|during|at|with|for) (?:the|your) "
        r"(first|second|third|fourth|last|final) (?:turn|message|sentence|thing you said)\b"
    ),
    "zh": re.compile(r"(第[一二三四]|最后一)(?:轮|句(?:话)?|次说(?:话)?|段话)"),
}
_PLACE = {
    **{w: i for i, w in enumerate(("first", "second", "third", "fourth"))},
    **{f"第{w}": i for i, w in enumerate("一二三四")},
    **dict.fromkeys(("last", "final", "最后一"), -1),
}
_DARK = ("sad", "anger", "fear", "disgust")


def think_disagrees(s: Said) -> bool:
    """Tell whether the thought names emotions, but none that was recognized (or that the user named)."""
    named = set(_named(s, near=True)) - _spoken(s)
    return bool(named) and named.isdisjoint(s.expected)


def disagrees(s: Said) -> bool:
    """Tell whether the answer contradicts the emotion.

    It cheers the sad or comforts the happy, or says that the sad are well or that the happy are not. (For the calm this
    counts only if the answer explains their feeling: a kind reply may notice more than the voice tells.)
    """
    heard, told = {t.label for t in s.turns}, " ".join(s.heard).lower()
    wrong: list[Mapping[str, re.Pattern[str]]] = []
    if s.task == "empathy" and heard <= set(_DARK):
        wrong = [_WELL, _CHEER]
    elif s.task == "empathy" and heard == {"happy"}:
        wrong = [_UNWELL, _CONSOLE]
    elif s.task == "reasoning" and heard <= set(_DARK):
        wrong = [_WELL]
    elif s.task == "reasoning" and heard <= {"happy", "neutral"}:
        wrong = [_UNWELL]
    found = [match for patterns in wrong for match in patterns[s.language].finditer(s.plain())]
    return any(match[0] not in told for match in found)


def labels_missing(s: Said) -> bool:
    """Tell whether the answer leaves out an emotion of the dialogue."""
    return s.task == "trajectory" and not set(s.expected) <= set(_named(s))


def labels_invented(s: Said) -> bool:
    """Tell whether the answer names an emotion that was recognized in no turn; in a path, also by a near synonym."""
    if s.task not in ("trajectory", "reasoning"):
        return False
    return not set(_named(s, near=s.task == "trajectory")) <= {*s.expected, *_spoken(s)}


def labels_order(s: Said) -> bool:
    """Tell whether the labels come in another order than in the dialogue.

    A summary before or after ("from sad to happy") may skip some. Words about a numbered turn ("in the third turn")
    must name the emotion of that turn.
    """
    if s.task != "trajectory" or labels_missing(s):
        return False
    if _misplaced(s):
        return True
    named, expected = collapse([x for x in _named(s) if x in s.expected]), s.expected
    n = len(expected)
    return not any(
        named[i : i + n] == expected and _within(named[:i], expected) and _within(named[i + n :], expected)
        for i in range(len(named) - n + 1)
    )


def _misplaced(s: Said) -> bool:
    """Tell whether the text gives a numbered turn another emotion than the recognized one."""
    if s.labels is None:
        return False
    for sentence in sentences(s.plain()):
        marks = list(_ORDINAL[s.language].finditer(sentence))
        starts = [*(m.start() for m in marks), len(sentence)]
        for mark, end in zip(marks, starts[1:], strict=True):
            named = s.labels.find(sentence[mark.end() : end], s.language)
            place = _PLACE[mark[1]]
            if named and (place >= len(s.turns) or s.turns[place].label not in named):
                return True
    return False


def _named(s: Said, near: bool = False) -> list[str]:
    return [] if s.labels is None else s.labels.find(s.text, s.language, near=near)


def _spoken(s: Said) -> set[str]:
    """Return the emotions that the user named."""
    return set() if s.labels is None else {x for t in s.transcripts for x in s.labels.find(t, s.language, near=True)}


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Tell whether `part` is a subsequence of `whole`."""
    rest = iter(whole)
    return all(x in rest for x in part)
