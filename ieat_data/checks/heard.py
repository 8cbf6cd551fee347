"""Is what an ASR heard what a user said? It goes into prompts, so it is checked as queries are.

Whisper invents words where nobody speaks ("Thanks for watching!"), or says the same again and again. Its own measures
tell of both. Each check is a function; its name is its reason code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ieat_data.checks import query, roundtrip
from ieat_data.checks.base import Check, Text, failing, first_line
from ieat_data.data.characters import broken

# Whisper's own limits, with which it would decode again or skip a segment
MAX_NO_SPEECH, MAX_COMPRESSION = 0.6, 2.4
# Words (en), characters (zh) at an end. A corpus cuts its clips in the middle of speech, so one or two say nothing.
_MISSING = {"en": 3, "zh": 4}
# what Whisper learnt from subtitles
_CREDITS = re.compile(
    r"\bthank(?:s| you)(?: (?:so|very) much)? for (?:watching|listening|viewing)\b|\bplease (?:like and )?subscribe\b"
    r"|\bdon't forget to (?:like|subscribe)\b|\bsubtitles? (?:by|provided by)\b|\bamara\.?org\b|\btranscribed by\b"
    r"|\bsee you (?:guys )?(?:in the )?next (?:video|episode)\b|\bcaption(?:s|ed|ing) by\b"
    r"|请不吝|點贊|点赞.{0,6}(?:订阅|转发|打赏)|订阅.{0,4}转发|字幕(?:由|提供|制作|志愿者|组|by)|明镜(?:与|和|需要|栏目)|点点栏目"
    r"|(?:谢谢|感谢|多谢)(?:大家|您|你们?)?(?:的)?(?:观看|收看|收听)|(?:我们)?下(?:期|集)(?:视频|节目)?再[见会]|优优独播",
    re.I,
)


@dataclass(frozen=True)
class Heard(Text):
    """A transcript that is taken for the user's words; `details` are the engine's measures of it.

    `reference` is the corpus's text of the clip, or "" where the transcript is not compared with it.
    """

    reference: str = ""
    details: Mapping[str, float] = field(default_factory=dict)


def invented(heard: Heard) -> bool:
    """The ASR heard words where nobody spoke: by its own measures, or the credits of subtitles."""
    measures = heard.details
    if measures.get("no_speech_prob", 0.0) > MAX_NO_SPEECH or measures.get("compression_ratio", 0.0) > MAX_COMPRESSION:
        return True
    return any(found[0].lower() not in heard.reference.lower() for found in _CREDITS.finditer(heard.text))


def broken_text(heard: Heard) -> bool:
    """The text holds broken, private or direction characters."""
    return broken(heard.text)


def words_cut(heard: Heard) -> bool:
    """The transcript lacks the first or last words of the corpus's text."""
    head, tail, _ = roundtrip.RoundTrip(heard.reference, heard.text, heard.language).parts
    return any(-end.added >= _MISSING[heard.language] for end in (head, tail))


def _of_text(function: Callable[[str, str], bool]) -> Check[Heard]:
    return Check(function.__name__, lambda h: function(h.text[:4096], h.language), first_line(function))


def _of_heard(function: Callable[[Heard], bool]) -> Check[Heard]:
    return Check(function.__name__, function, first_line(function))


CHECKS: tuple[Check[Heard], ...] = (
    _of_text(query.control_text),
    _of_heard(broken_text),
    _of_heard(invented),
    *map(_of_text, (query.code, query.markup, query.url, query.table)),
    _of_heard(words_cut),
)


def fault(heard: Heard, own: Sequence[Check[Heard]] = ()) -> str | None:
    """Return the reason code of the first check that the transcript fails; the user's `own` checks run last."""
    return next(failing((*CHECKS, *own), heard), None)
