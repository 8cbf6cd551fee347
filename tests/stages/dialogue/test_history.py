"""Replies of a dialogue that are made anew: in order, each with the history before it, and all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ieat_data.data.columns import blank
from ieat_data.data.rows import Emotion, Turn
from ieat_data.engines.base import Failure
from ieat_data.stages.base import Context
from ieat_data.stages.dialogue.history import made_anew, per_dialogue
from ieat_data.stages.dialogue.inject_dialogues import InjectDialogues, InjectDialoguesSettings, Talk
from ieat_data.stages.grouping import HowReplied
from tests.stages.dialogue.test_inject import Direct, context

SAID = (
    ("The kettle broke this morning.", "anger"),
    ("My sister brought her old one.", "happy"),
    ("Then the old one leaked everywhere.", "sad"),
    ("A neighbour fixed both of them!", "surprise"),
)


def turn(i: int) -> Turn:
    text, label = SAID[i]
    return blank(
        Turn, sample=f"s{i}", utterance=f"u{i}", transcript=text, reply=f"Alone {i}.", emotion=Emotion(label, 0.9, "x")
    )


def talk(id_: str, *anew: int) -> Talk:
    return Talk(id_, "ok", "en", tuple(turn(i) for i in range(len(SAID))), anew)


class Watched(Direct):
    """Keeps the prompts; has no answer about what holds `fails`."""

    def __init__(self, fails: str = "\0") -> None:
        super().__init__()
        self.fails, self.prompts = fails, list[str]()

    def generate(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        self.prompts += ["".join(s.text for s in r.prompt) for r in requests]
        answers = super().generate(requests, rows)
        lost = [self.fails in p.rpartition("user\n")[2] for p in self.prompts[-len(requests) :]]
        return [Failure("server_error", "no") if x else a for x, a in zip(lost, answers, strict=True)]


def asked(ctx: Context, engine: Watched, talks: list[Talk]) -> list[list[Any]]:
    ctx.engines = {"llm": engine}  # type: ignore[dict-item]
    stage = InjectDialogues(InjectDialoguesSettings(reasoning_share=1.0, trajectory_share=1.0))
    return [list(children) for children in stage.process(talks, ctx)]


@pytest.mark.parametrize(
    ("inner", "last", "places"),
    [
        ("reuse", "reuse", [(), (), ()]),
        ("reuse", "regenerate", [(1,), (2,), (3,)]),
        ("regenerate", "reuse", [(), (1,), (1, 2)]),
        ("regenerate", "regenerate", [(1,), (1, 2), (1, 2, 3)]),
    ],
)
def test_which_replies_are_made_anew(inner: HowReplied, last: HowReplied, places: list[tuple[int, ...]]) -> None:
    assert [made_anew(n, inner, last) for n in (2, 3, 4)] == places
    assert per_dialogue({2: 1, 4: 3}, inner, last) == (len(places[0]) + 3 * len(places[2])) / 4


def test_each_new_reply_sees_those_before_it(tmp_path: Path) -> None:
    engine = Watched()
    (children,) = asked(context(tmp_path), engine, [talk("d", 1, 2, 3)])
    assert all(c.reject is None for c in children)
    assert len({c.id for c in children}) == len(children)
    *replies, trajectory, reasoning = children
    assert [(c.row.task, len(c.row.turns)) for c in replies] == [("empathy", n) for n in (2, 3, 4)]
    assert {trajectory.row.task, reasoning.row.task} == {"trajectory", "reasoning"}
    for place, reply in enumerate(replies, 1):
        asked_for = [p for p in engine.prompts if SAID[place][0] in p.rpartition("user\n")[2] and "Turn 1" not in p]
        history = ["Alone 0.", *(r.row.answer for r in replies[: place - 1])]
        assert asked_for
        for prompt in asked_for:
            assert [prompt.count(told) for told in history] == [1] * len(history)
            assert "Alone 1." not in prompt and "Alone 2." not in prompt
        assert reply.row.parent == "d"
    for target in (trajectory, reasoning):
        assert [t.reply for t in target.row.turns] == ["Alone 0.", *(r.row.answer for r in replies)]
        assert [t.sample for t in target.row.turns] == ["s0", *(r.id for r in replies)]
        assert [t.think for t in target.row.turns][1:] == [r.row.think for r in replies]


def test_a_dialogue_whose_reply_fails_ends_there(tmp_path: Path) -> None:
    """And the others go on: with the very rows that they have when nothing fails beside them."""
    ctx = context(tmp_path)
    failed, whole, plain = asked(
        ctx, Watched('says: "Then the old one leaked'), [talk("d", 1, 2, 3), talk("e", 1), talk("f")]
    )
    assert [c.reject and c.reject.reason for c in failed] == [None, "server_error"]
    assert [(c.row.task, len(c.row.turns)) for c in failed] == [("empathy", 2), ("empathy", 3)]
    assert [c.row.task for c in whole] == ["empathy", "trajectory", "reasoning"]
    assert [c.row.task for c in plain] == ["trajectory", "reasoning"]
    assert [asked(ctx, Watched(), [one])[0] for one in (talk("e", 1), talk("f"))] == [whole, plain]
