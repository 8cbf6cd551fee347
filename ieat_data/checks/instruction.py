"""Is a text a spoken question of a task: how the mood changed (`trajectory`), or why one feels so (`reasoning`)?

It is joined to any utterance, so it must not presuppose anything: no emotion, event, number of turns or gender.
`prompts/instructions/rules.{language}.yaml` lists what would do so, and what each task's questions ask. Some presuppose
that the user has spoken: `presupposes` finds them, and they are only asked afterwards.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ieat_data.checks.language import is_language
from ieat_data.checks.query import code, control_text, markup, not_speakable, table, url
from ieat_data.checks.words import words
from ieat_data.data.emotions import Labels
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir
from ieat_data.strict import Strict, read_yaml, validate

Alternatives = tuple[str, ...]


class Never(Strict):
    """What no question may say, by reason code."""

    names_emotion: Alternatives
    names_facts: Alternatives
    counts_turns: Alternatives
    names_gender: Alternatives
    wrong_person: Alternatives
    asks_advice: Alternatives
    asks_form: Alternatives
    asks_verdict: Alternatives
    names_machine: Alternatives


class RulesFile(Strict):
    """The file `prompts/instructions/rules.{language}.yaml`."""

    length: tuple[int, int]
    letters: str
    speaker: Alternatives
    never: Never
    feeling: Alternatives
    trajectory: Alternatives
    reasoning: Alternatives
    never_reasoning: Alternatives
    needs_context: Alternatives
    short_form: Alternatives


_UNSAFE: tuple[Callable[[str, str], bool], ...] = (control_text, code, markup, url, table, not_speakable)
REASONS = (
    *(f.__name__ for f in _UNSAFE),
    *("wrong_language", "not_plain", "too_short", "too_long", *Never.model_fields, "off_topic"),
)


@dataclass(frozen=True)
class _Rules:
    length: tuple[int, int]
    letters: re.Pattern[str]
    speaker: re.Pattern[str]
    never: Mapping[str, re.Pattern[str]]
    asked: Mapping[str, tuple[re.Pattern[str], ...]]  # by task: all of these must match
    not_asked: Mapping[str, tuple[re.Pattern[str], ...]]  # and none of these
    needs_context: re.Pattern[str]
    short_form: re.Pattern[str]
    labels: Labels


@functools.cache
def _rules(language: str) -> _Rules:
    path = prompts_dir() / f"instructions/rules.{language}.yaml"
    file = validate(RulesFile, read_yaml(path), str(path))

    def pattern(alternatives: Alternatives) -> re.Pattern[str]:
        union = "|".join(alternatives)
        return re.compile(union if language == "zh" else rf"(?<![\w'])(?:{union})(?!\w)", re.IGNORECASE)

    try:
        feeling = pattern(file.feeling)
        return _Rules(
            length=file.length,
            letters=re.compile(file.letters),
            speaker=pattern(file.speaker),
            never={reason: pattern(getattr(file.never, reason)) for reason in Never.model_fields},
            asked={t: (feeling, pattern(getattr(file, t))) for t in ("trajectory", "reasoning")},
            not_asked={"trajectory": (), "reasoning": (pattern(file.never_reasoning),)},
            needs_context=pattern(file.needs_context),
            short_form=pattern(file.short_form),
            labels=Labels.load(prompts_dir() / "labels.yaml"),
        )
    except re.error as e:
        raise UserError(f"{path}: {e.pattern!r} is not a regular expression: {e}") from None


def _head(text: str) -> str:
    return text[:1024].replace("’", "'")


def presupposes(text: str, task: str, language: str) -> bool:
    """Return whether a question presupposes that the user has spoken; how a mood changed always does."""
    return task == "trajectory" or _rules(language).needs_context.search(_head(text)) is not None


def wants_short_form(text: str, language: str) -> bool:
    """Return whether a question asks for one word or one sentence."""
    return _rules(language).short_form.search(_head(text)) is not None


def check_instruction(text: str, task: str, language: str) -> str | None:
    """Return why `text` is no instruction of `task` in `language`, a code of `REASONS`; None if it is one.

    `names_emotion`: it gives the answer away, or may contradict it. `names_facts`: it names an event or a person that
    the user may never have mentioned. `wrong_person`: it is not the user who asks about the user. `asks_form`: it
    wants a picture, a colour, a poem or the like. `asks_verdict`: it asks whether the feeling is right. `off_topic`: it
    asks something else.
    """
    head = _head(text)
    for unsafe in _UNSAFE:
        if unsafe(head, language):
            return unsafe.__name__
    if not is_language(head, language):
        return "wrong_language"
    rules = _rules(language)
    if rules.letters.fullmatch(head) is None:
        return "not_plain"
    low, high = rules.length
    if not low <= (length := len(words(head, language))) <= high:
        return "too_short" if length < low else "too_long"
    if rules.labels.find(head, language, near=True):
        return "names_emotion"
    for reason, pattern in rules.never.items():
        if pattern.search(head):
            return reason
    if not rules.speaker.search(head):
        return "wrong_person"
    asked, not_asked = rules.asked[task], rules.not_asked[task]
    if not all(p.search(head) for p in asked) or any(p.search(head) for p in not_asked):
        return "off_topic"
    return None
