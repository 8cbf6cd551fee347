"""What is injected into a thought: an opening and a body drawn by hash from the bank, filled with the user's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ieat_data import hashing
from ieat_data.data.emotions import Labels
from ieat_data.prompting.base import Language, Turn
from ieat_data.prompting.files import DialogueBank, ThinkFile, Walk
from ieat_data.prompting.quotes import quotation

_ORDINALS = {
    "en": ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"),
    "zh": ("一", "二", "三", "四", "五", "六", "七", "八"),
}
_NUMBERS = {
    "en": ("one", "two", "three", "four", "five", "six", "seven", "eight"),
    "zh": _ORDINALS["zh"],
}
MAX_TURNS = len(_ORDINALS["en"])
# between two sentences: Chinese uses no space
GAP = {"en": " ", "zh": ""}


def body(
    bank: ThinkFile, labels: Labels, language: Language, turns: Sequence[Turn], pick: int, unsure_below: float = 0.0
) -> str:
    """Return what follows the opening of a thought about one utterance or a dialogue.

    An utterance with a score below `unsure_below` gets a hedged one.

    Raises:
        ValueError: the bank has none for these turns.
    """
    if len(turns) == 1 and bank.single:
        bodies = bank.single[turns[0].label]
        return hashing.pick(bodies.drawn_from(unsure=turns[0].score < unsure_below), pick, "body")
    if bank.dialogue is None:
        raise ValueError(f"no think bodies for {len(turns)} turns")
    return _dialogue(bank.dialogue, labels, language, [t.label for t in turns], pick)


def opening(bank: ThinkFile, language: Language, turns: Sequence[Turn], pick: int, control: Iterable[str] = ()) -> str:
    """Return a written opening, which restates what was said; nothing if a turn that it quotes holds no words.

    `control`: what no quotation may hold, the control strings of the model.
    """
    strings = list(control)
    first, last = (quotation(t.transcript, language, strings) for t in (turns[0], turns[-1]))
    if not first or not last:
        return ""
    if len(turns) == 1 and bank.single:
        return hashing.pick(bank.openings.utterance, pick, "opening").format(quote=first)
    return hashing.pick(bank.openings.dialogue, pick, "opening").format(first=first, last=last)


def _dialogue(bank: DialogueBank, labels: Labels, language: Language, heard: Sequence[str], pick: int) -> str:
    if len(heard) > MAX_TURNS:
        raise ValueError(f"a dialogue of {len(heard)} turns; the maximum for a think body is {MAX_TURNS}")
    walk = hashing.pick(bank.walks, pick, "walk")
    sentences = []
    for i, label in enumerate(heard):
        sentences.append(_fill(_step(walk, heard[: i + 1]), labels, language, label, i))
    sentences.append(hashing.pick(bank.close, pick, "close"))
    return GAP[language].join(sentences)


def _step(walk: Walk, heard: Sequence[str]) -> str:
    """Return the sentence for the last of the turns `heard`."""
    *before, now = heard
    if not before:
        return walk.first
    if now == before[-1]:
        return walk.same
    return walk.back if now in before else walk.then


def _fill(template: str, labels: Labels, language: Language, label: str, index: int) -> str:
    words = labels.words(label, language)
    return template.format(
        adjective=words.adjective,
        a_adjective=("an " if words.adjective[0] in "aeiou" else "a ") + words.adjective,
        word=words.word,
        ordinal=_ORDINALS[language][index],
        number=_NUMBERS[language][index],
    )
