"""Injected think bodies: a phrasing drawn by hash from the bank, filled with the words of the labels."""

from __future__ import annotations

from collections.abc import Sequence

from ieat_data import identity
from ieat_data.checks.labels import Labels
from ieat_data.prompting.base import Language, Turn
from ieat_data.prompting.files import DialogueBank, ThinkFile

_ORDINALS = {
    "en": ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"),
    "zh": ("一", "二", "三", "四", "五", "六", "七", "八"),
}
_NUMBERS = {
    "en": ("one", "two", "three", "four", "five", "six", "seven", "eight"),
    "zh": _ORDINALS["zh"],
}
MAX_TURNS = len(_ORDINALS["en"])
# between two sentences: Chinese sets no space
GAP = {"en": " ", "zh": ""}


def body(bank: ThinkFile, labels: Labels, language: Language, turns: Sequence[Turn], pick: int) -> str:
    """The injected body for one utterance or a dialogue. Raises ValueError when the bank has none for it."""
    if len(turns) == 1 and bank.single:
        return _fill(identity.pick(bank.bodies(turns[0].label), pick, "body"), labels, language, turns[0].label, 0)
    if bank.dialogue is None:
        raise ValueError(f"no think bodies for {len(turns)} turns")
    return _dialogue(bank.dialogue, labels, language, [t.label for t in turns], pick)


def _dialogue(bank: DialogueBank, labels: Labels, language: Language, heard: Sequence[str], pick: int) -> str:
    if len(heard) > MAX_TURNS:
        raise ValueError(f"a dialogue of {len(heard)} turns, at most {MAX_TURNS} can be put into words")
    walk = identity.pick(bank.walks, pick, "walk")
    sentences = [identity.pick(bank.opening, pick, "opening")]
    for i, label in enumerate(heard):
        template = walk.first if i == 0 else walk.same if label == heard[i - 1] else walk.then
        sentences.append(_fill(template, labels, language, label, i))
    sentences.append(identity.pick(bank.close, pick, "close"))
    return GAP[language].join(sentences)


def _fill(template: str, labels: Labels, language: Language, label: str, index: int) -> str:
    words = labels.words(label, language)
    return template.format(
        adjective=words.adjective,
        word=words.word,
        ordinal=_ORDINALS[language][index],
        number=_NUMBERS[language][index],
    )
