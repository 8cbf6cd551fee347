"""IEAT: is what a model began its thought with, before any emotion was given, fit to go on from?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ieat_data.checks import leaks
from ieat_data.checks.base import Rejected, Said, failing
from ieat_data.checks.think import THOUGHT
from ieat_data.checks.words import words
from ieat_data.data.characters import mended
from ieat_data.data.emotions import Labels
from ieat_data.engines.base import Completion
from ieat_data.prompting.base import Turn
from ieat_data.prompting.files import Example

MOST_SENTENCES = 2
LEAST = {"en": 4, "zh": 6}  # words, characters
# what only a whole thought can do, and the emotions, which are looked at more strictly here
_OF_WHOLE_THOUGHTS = frozenset({"think_too_short", "think_no_cause", "think_disagrees"})
_CHECKS = tuple(check for check in THOUGHT if check.code not in _OF_WHOLE_THOUGHTS)
# a sentence's end with the mark that closes a quotation; an English one is followed by a new sentence or by nothing
_ENDS = {
    "en": re.compile(
        r"(?<!\b[A-Z])(?<!\b(?:Mr|Ms|Dr|St|vs))(?<!\bMrs)(?<!\b(?:e\.g|i\.e))[.!?]+[\"'”’]?(?=\s+[\"'“‘A-Z]|\s*$)"
    ),
    "zh": re.compile(r"[。！？!?]+[”’」』]?"),
}
_OPEN, _CLOSED = re.compile("[“「『]"), re.compile("[”」』]")


def opening(
    task: str,
    language: str,
    completion: Completion,
    turns: Sequence[Turn],
    instruction: str | None,
    labels: Labels,
    examples: Sequence[Example] = (),
    control: Sequence[str] = (),
) -> str | Rejected:
    """Return the first sentences of a thought, cut at a sentence end, or why they are unfit.

    A second sentence that names the emotion that was heard is left out: it is told next.

    Args:
        task: `empathy`, `reasoning` or `trajectory`.
        language: `en` or `zh`.
        completion: the model's; it may have run into its token limit.
        turns: the user's words and the recognized labels.
        instruction: the question the user speaks, or None.
        labels: `Prompts.labels`.
        examples: those in the prompt, so that copies of them are found.
        control: `Descriptor.commands` of the model.
    """
    heard = [*(t.transcript for t in turns), instruction or ""]
    begun = mended(completion.parts[0]).strip() if completion.parts else ""
    text = leaks.without_instructions(_first_sentences(begun, language, MOST_SENTENCES), heard)
    if len(words(text, language)) < LEAST[language]:
        return Rejected("opening_empty")
    if len(completion.parts) > 1 and text == begun:
        return Rejected("opening_closes")
    commands = (*control, *completion.control)
    said = Said(text, task, language, tuple(turns), instruction, "", labels, tuple(examples), commands)
    told = {label for t in said.transcripts for label in labels.find(t, language, near=True)}
    if set(labels.find(text, language, near=True)) - {t.label for t in turns} - told:
        return Rejected("opening_names_another_emotion")
    if reason := next(failing(_CHECKS, said), None):
        return Rejected(reason)
    restated = _first_sentences(text, language, 1)
    tells = bool(labels.find(text[len(restated) :], language, near=True))
    return restated if tells and len(words(restated, language)) >= LEAST[language] else text


def _first_sentences(text: str, language: str, most: int) -> str:
    """Return the first whole sentences of a text, `most` at most; nothing if none has ended."""
    ends: list[int] = []
    for mark in _ENDS[language].finditer(text):
        before = text[: mark.end()]
        inside = len(_OPEN.findall(before)) > len(_CLOSED.findall(before)) or before.count('"') % 2
        goes_on = language == "zh" and mark[0][-1] in "”’」』" and text[mark.end() :].strip()
        if not inside and not goes_on:
            ends.append(mark.end())
    return text[: ends[:most][-1]] if ends else ""
