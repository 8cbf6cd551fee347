"""Is a text a spoken reply? The rules for every answer of the language model; stage 1-1 needs no others.

A rule is a small function: True means that the answer is rejected for the rule's reason code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ieat_data.checks.language import is_language
from ieat_data.checks.words import contains, ngrams, sentences, words
from ieat_data.engines.base import Completion

# The longest answer of each task that people would listen to: words (en), characters (zh).
MAX_SPOKEN = {
    "respond": {"en": 90, "zh": 150},
    "empathy": {"en": 80, "zh": 130},
    "reasoning": {"en": 100, "zh": 170},
    "trajectory": {"en": 120, "zh": 200},
}
CONTROL = re.compile(r"<\|[^<>|]{1,40}\|>|</?think\s*>|<\\think>|\[/?INST\]|</?s>|<(?:start|end)_of_turn>", re.I)
_MARKUP = re.compile(
    r"^\s*(?:[-*+•·]\s|#{1,6}\s|\d{1,2}[.)、]\s?\D|>\s)"  # lists, headings, quotes
    r"|\*\*|__|`|~~|\]\(|</?[a-z][^>]*>|https?://|www\.|\\[nt(\[]|\$\S|[|{}<>=_#\\]|\*[^*\n]+\*"
    r"|[\u2600-\u27bf\u2b50\ufe0f\U0001f000-\U0001faff]"  # emojis
    r"|[(（\[【]",  # stage directions: speech has no brackets
    re.M | re.I,
)
_ROLE = re.compile(
    r"(?:^|[.!?。！？\n]\s*)(?:turn \d+|question|answer|user|assistant|response|companion"
    r"|第\S{1,2}轮|问题|回答|答案|用户|助手)\s*[:：]",
    re.I,
)
_AS_AN_AI = re.compile(
    r"\bas an? (?:ai|artificial|assistant|language model|virtual|digital)|\b(?:ai|large|language) (?:language )?model\b"
    r"|\bi(?:'m| am) (?:just |only )?(?:an? )?(?:ai|virtual|digital|machine|chatbot|computer program|bot)\b"
    r"|\b(?:qwen|alibaba|openai|chatgpt)\b"
    r"|作为(?:一个|一名|一款)?(?:人工智能|ai|语言模型|助手|虚拟|机器人)"
    r"|我(?:只)?是(?:一个|一名|一款)?(?:人工智能|ai|语言模型|虚拟助手|智能助手|机器人)|语言模型|通义千问|阿里云",
    re.I,
)
_REFUSAL = re.compile(
    r"\bi(?:'m| am) (?:so |very |really )?sorry,? but i(?: can| am| do|'m)"
    r"|\bi (?:can ?not|can't|am unable to|am not able to|won't) (?:assist|help|provide|answer|fulfil|comply|continue"
    r"|respond|engage|discuss)|\bi(?:'m| am) (?:unable|not able) to"
    r"|\b(?:please )?provide (?:me with )?(?:more|additional|further) (?:context|information|details)"
    r"|(?:抱歉|对不起|不好意思)[，,]?\s*(?:但是?)?我(?:无法|不能|没办法|没法)"
    r"|我(?:无法|不能)(?:回答|提供|帮助|协助|满足|处理|讨论)"
    r"|请(?:您|你)?提供(?:更多|更详细)",
    re.I,
)
_DEAF = re.compile(
    r"\b(?:can ?not|can't|unable to|don't) (?:actually )?hear (?:your|the|you)|\btext[- ]based"
    r"|\bfrom (?:your|the) text\b"
    r"|听不到(?:你|您)|无法听|没(?:有)?办法听|从(?:你|您|这段|上述)?(?:的)?(?:文字|文本)",
    re.I,
)


@dataclass(frozen=True)
class Rejected:
    """A completion that is not used, and why."""

    reason: str


@dataclass(frozen=True)
class Said:
    """An answer, and what it answers: `heard` is all that the user said, `examples` are the answers of worked
    examples, `leaks` the words that betray a copy of one."""

    task: str
    language: str
    answer: str
    heard: tuple[str, ...]
    examples: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()


def accept_reply(
    language: str, user_text: str, completion: Completion, examples: Sequence[object] = ()
) -> str | Rejected:
    """The spoken reply of a completion without thinking, in one line, or why there is none.

    Args:
        language: `en` or `zh`.
        user_text: what the user said.
        completion: the model's; it has exactly one part, because nothing was to be closed.
        examples: `Prompts.examples("respond", language)`, so that copies of them are found.
    """
    if completion.finish_reason != "stop":
        return Rejected(completion.finish_reason)
    if len(completion.parts) != 1:
        return Rejected("many_closes")
    answer = one_line(completion.parts[0])
    texts, leaks = example_texts(examples)
    return fault(Said("respond", language, answer, (user_text,), texts, leaks)) or answer


def fault(said: Said) -> Rejected | None:
    """The first rule that an answer breaks."""
    return next((Rejected(reason) for reason, breaks in RULES if breaks(said)), None)


def one_line(text: str) -> str:
    """The text with line ends between its sentences made spaces (none between Chinese ones); lists keep their lines."""
    text = text.strip()
    if _MARKUP.search(text):
        return text
    return re.sub(r"\s+", " ", re.sub(r"(?<=[。！？，；…])\s+", "", text))


def example_texts(examples: Sequence[object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The answers of worked examples, and the words that betray a copy of one."""
    answers = tuple(" ".join(str(getattr(e, "answer", "")).split()) for e in examples)
    return answers, tuple(dict.fromkeys(w for e in examples for w in getattr(e, "leaks", ())))


def empty_answer(s: Said) -> bool:
    return not words(s.answer, "zh")


def control_text(s: Said) -> bool:
    return CONTROL.search(s.answer) is not None


def markup(s: Said) -> bool:
    return _MARKUP.search(s.answer) is not None or _ROLE.search(s.answer) is not None


def wrong_language(s: Said) -> bool:
    return not is_language(s.answer, s.language)


def as_an_ai(s: Said) -> bool:
    found = _AS_AN_AI.search(_plain(s.answer))
    return found is not None and found[0].lower() not in " ".join(s.heard).lower()


def refusal(s: Said) -> bool:
    return _REFUSAL.search(_plain(s.answer)) is not None


def denies_hearing(s: Said) -> bool:
    return _DEAF.search(_plain(s.answer)) is not None


def too_long_for_speech(s: Said) -> bool:
    return len(words(s.answer, s.language)) > MAX_SPOKEN[s.task][s.language]


def loop(s: Said) -> bool:
    return loops(s.answer, s.language)


def loops(text: str, language: str) -> bool:
    """A sentence that comes twice, or a run of words (5; Chinese: 10 characters) that comes three times."""
    said = [tuple(words(x, language)) for x in sentences(text)]
    again = [x for x, n in Counter(said).items() if n > 1 and len(x) >= (3 if language == "en" else 5)]
    runs = Counter(ngrams(words(text, language), 5 if language == "en" else 10))
    return bool(again) or max(runs.values(), default=0) >= 3


def copied_example(s: Said) -> bool:
    """A telling word of a worked example, or a long run of its words, that the user did not bring up.

    The answers to a question may be built like an example's ("At first you were ..., because ...").
    """
    heard = " ".join(s.heard)
    if any(contains(s.answer, w) and not contains(heard, w) for w in s.leaks):
        return True
    if s.task not in ("respond", "empathy"):
        return False
    n = 6 if s.language == "en" else 10
    mine = set(ngrams(words(s.answer, s.language), n))
    theirs = {g for e in s.examples for g in ngrams(words(e, s.language), n)}
    return bool((mine & theirs) - set(ngrams(words(heard, s.language), n)))


def repeats_user(s: Said) -> bool:
    """Most of the answer's runs of words (4; Chinese: 5 characters) are the user's own."""
    n = 4 if s.language == "en" else 5
    mine = list(ngrams(words(s.answer, s.language), n))
    theirs = {g for h in s.heard for g in ngrams(words(h, s.language), n)}
    return bool(mine) and sum(g in theirs for g in mine) > 0.5 * len(mine)


def _plain(text: str) -> str:
    return text.replace("\u2019", "'")


Rule = Callable[[Said], bool]
RULES: tuple[tuple[str, Rule], ...] = (
    ("empty_answer", empty_answer),
    ("control_text", control_text),
    ("markup", markup),
    ("wrong_language", wrong_language),
    ("as_an_ai", as_an_ai),
    ("refusal", refusal),
    ("denies_hearing", denies_hearing),
    ("too_long_for_speech", too_long_for_speech),
    ("loop", loop),
    ("copied_example", copied_example),
    ("repeats_user", repeats_user),
)
