"""Replies of a dialogue that are made anew, with what was said before them.

The samples that become a dialogue were answered alone. Which replies are made again is settled when the dialogue is
formed (`Dialogue.anew`). They are made in order, so that each one sees those before it. Each is an empathy target of
its own, over the turns so far: it passes the same checks and gates, is tried as often, and is spoken if replies are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from ieat_data.data.rows import Language, Target, Turn
from ieat_data.stages.grouping import HowReplied
from ieat_data.stages.row_by_row import Child

D = TypeVar("D")


class Conversation(Protocol):
    """A dialogue, by what is needed of it here."""

    @property
    def id(self) -> str: ...
    @property
    def language(self) -> Language: ...
    @property
    def turns(self) -> tuple[Turn, ...]: ...
    @property
    def anew(self) -> tuple[int, ...]: ...


class Maker(Protocol[D]):
    """What makes the reply to the last of some turns (`inject.Injection`)."""

    def reply(self, parent: str, language: Language, turns: Sequence[Turn]) -> D:
        """Return the draft of an empathy target."""
        ...

    def make(self, drafts: Sequence[D]) -> list[Child[Target]]:
        """Ask for each draft until it is accepted or out of tries."""
        ...


def made_anew(turns: int, inner: HowReplied, last: HowReplied) -> tuple[int, ...]:
    """Return which replies of a dialogue are made anew, by the index of their turn.

    Never the first one: nothing was said before it.

    Args:
        turns: of the dialogue.
        inner: whether the replies between the first and the last one are.
        last: whether the last one is.
    """
    between = range(1, turns - 1) if inner == "regenerate" else ()
    return (*between, *((turns - 1,) if last == "regenerate" else ()))


def per_dialogue(mix: Mapping[int, float], inner: HowReplied, last: HowReplied) -> float:
    """Return how many replies a dialogue has made anew on average, where `mix` says how long dialogues are."""
    total = sum(mix.values())
    return sum(w * len(made_anew(n, inner, last)) for n, w in mix.items()) / total if total else 0.0


def with_reply(turn: Turn, id_: str, made: Target) -> Turn:
    """Return a turn with the reply of an empathy target, in place of its own."""
    return replace(turn, sample=id_, reply=made.answer, think=made.think, think_spans=made.think_spans)


def answered(talks: Sequence[Conversation], maker: Maker[D]) -> tuple[dict[str, tuple[Turn, ...]], list[Child[Target]]]:
    """Make the replies that are to be made anew.

    Args:
        talks: dialogues; those without such replies stay as they are.
        maker: who makes a reply.

    Returns:
        The turns of each dialogue with their new replies, and the targets that were made. A dialogue of which one reply
        is rejected has no turns: that target says why.
    """
    told = {t.id: t.turns for t in talks}
    made: list[Child[Target]] = []
    for place in range(max((len(t.turns) for t in talks), default=0)):
        due = [t for t in talks if place in t.anew and t.id in told]
        drafts = [maker.reply(t.id, t.language, told[t.id][: place + 1]) for t in due]
        for talk, child in zip(due, maker.make(drafts), strict=True):
            made.append(child)
            turns = told.pop(talk.id)
            if child.reject is None:
                new = with_reply(turns[place], child.id, child.row)
                told[talk.id] = (*turns[:place], new, *turns[place + 1 :])
    return told, made
