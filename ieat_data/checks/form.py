"""Is a text fit to be spoken: its language, its length, and only signs that a voice can say?"""

from __future__ import annotations

import re

from ieat_data.checks.base import Said
from ieat_data.checks.language import is_language, is_mixed, script_share
from ieat_data.checks.words import words
from ieat_data.data import characters

# The longest answer of each task that people listen to, in words (en) or characters (zh): over one turn, and how much
# more each further turn allows. One turn of a trajectory stands for nothing: it is over two at least.
MAX_SPOKEN = {
    "respond": {"en": (90, 0), "zh": (150, 0)},
    "empathy": {"en": (80, 0), "zh": (130, 0)},
    "reasoning": {"en": (100, 20), "zh": (170, 30)},
    "trajectory": {"en": (70, 30), "zh": (120, 50)},
}
# The minimum that a continuation adds to the injected body: words (en), characters (zh).
MIN_CONTINUATION = {"en": 6, "zh": 10}
_MARKUP = re.compile(
    r"^\s*(?:[-*+•·]\s|#{1,6}\s|\d{1,2}[.)、]\s?\D|>\s)"  # lists, headings, quotes
    r"|\*\*|__|`|~~|\]\(|</?[a-z][^>]*>|https?://|www\.|\\[nt(\[]|\$\S|[|{}<>=_#\\]|\*[^*\n]+\*"
    r"|[\u2600-\u27bf\u2b50\ufe0f\U0001f000-\U0001faff]"  # emojis
    r"|[(（\[【]",  # stage directions: speech has no brackets
    re.M | re.I,
)
# a fence, a name in backticks, a tag, an object, a heading, a link, a line end that was written out
_CODE = re.compile(r"```|~~~|`[^`\n]+`|</?[a-z][^<>\n]*>|\{\s*[\"']|^\s*#{1,6}\s|https?://|\]\(|\\[nt]", re.M | re.I)
_ROLE = re.compile(
    r"(?:^|[.!?。！？\n]\s*)(?:turn \d+|question|answer|user|assistant|response|companion"
    r"|第\S{1,2}轮|问题|回答|答案|用户|助手)\s*[:：]",
    re.I,
)

# numbers that a voice stumbles over: ranges and ratios with signs, fractions, formulae, long digits, units
_NUMBER = re.compile(
    r"\d\s*(?:[-–—~/:：+*×÷=^]|-{2})\s*\d|\d{5,}|\d\s*(?:km|kg|cm|mm|ml|mg|mph|sq|hz|°|º)\b|\d\s*[²³°º℃℉]"
    r"|(?<![\w.])[-−]\d|\d+(?:[,，]\d{3}){2,}"
)
_CLOCK = re.compile(r"\b(?:[01]?\d|2[0-3])[:：][0-5]\d\b")  # "at 9:30" is spoken well


def empty(s: Said) -> bool:
    """Tell whether the text is empty."""
    return not words(s.text, "zh")


def control_text(s: Said) -> bool:
    """Tell whether the text holds a control string of its model, or of another one."""
    return characters.holds_control(s.text, s.control)


def broken_text(s: Said) -> bool:
    """Tell whether the text holds broken, private or direction characters."""
    return characters.broken(s.text)


def mark_run(s: Said) -> bool:
    """Tell whether one mark follows itself again and again. The user's own runs do not count."""
    told = " ".join(s.heard)
    return any(run not in told for run in characters.mark_runs(s.text))


def think_markup(s: Said) -> bool:
    """Tell whether the thought holds code, tags or links. It is not spoken: lists and bold words may stand."""
    return _CODE.search(s.text) is not None


def markup(s: Said) -> bool:
    """Tell whether the text is written for the eye: lists, brackets, emojis, speaker labels."""
    return _MARKUP.search(s.text) is not None or _ROLE.search(s.text) is not None


def number(s: Said) -> bool:
    """Tell whether the text holds a number that a voice stumbles over."""
    return _NUMBER.search(_CLOCK.sub(" ", s.text.lower())) is not None


def wrong_language(s: Said) -> bool:
    """Tell whether the text, or a part of it, is in another language or in Traditional Chinese."""
    if empty(s):
        return False
    home = {"latin", "han"} if s.language == "zh" else {"latin"}
    strange = set(script_share(s.text)) - home - set(script_share(" ".join(s.heard)))
    return bool(strange) or not is_language(s.text, s.language) or is_mixed(s.text, s.language, s.heard)


def too_long_for_speech(s: Said) -> bool:
    """Tell whether the answer is longer than people listen to."""
    once, more = MAX_SPOKEN[s.task][s.language]
    return len(words(s.text, s.language)) > once + more * (len(s.turns) - 1)


def too_short(s: Said) -> bool:
    """Tell whether the continuation adds next to nothing to the injected body."""
    return len(words(s.text, s.language)) < MIN_CONTINUATION[s.language]


def one_line(text: str) -> str:
    """Replace line ends between sentences by spaces (by nothing in Chinese); lists keep their lines."""
    text = text.strip()
    if _MARKUP.search(text):
        return text
    return re.sub(r"\s+", " ", re.sub(r"(?<=[。！？，；…])\s+", "", text))
