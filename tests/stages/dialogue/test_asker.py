"""Whose voice asks a question about a dialogue whose later turns were written."""

from __future__ import annotations

from ieat_data.config import Pipeline, load_profile
from ieat_data.data.columns import blank
from ieat_data.data.rows import Emotion, Instruction, Speaker, Turn
from ieat_data.stages.base import Context
from ieat_data.stages.dialogue.asker import by_user
from ieat_data.stages.speech.speakers import Voices

DRAWN = Instruction("i1", "Why do I feel so?", "drawn", "own_turn")


def asked(profile: str, origin: str, speaker: str) -> Instruction:
    first = blank(Turn, utterance="u1", speaker=speaker, origin=origin, emotion=Emotion("sad", 0.9, "x"))
    later = blank(Turn, utterance="w2", speaker=speaker, origin="written", emotion=Emotion("happy", 0.9, "x"))
    pipeline = Pipeline(name="t", sources={}, configs=[], instructions={"voice": "user"})
    ctx = Context(pipeline, load_profile(profile))
    ctx.shared["voices"] = Voices([Speaker("ann", "en"), Speaker("drawn", "en")])
    return by_user(DRAWN, "en", [first, later], ctx)


def test_a_recorded_user_asks_in_the_voice_of_the_first_turn() -> None:
    by = asked("gpu", "recorded", "s/p1")
    assert (by.speaker, by.clip) == ("s/p1", "u1"), "the clip that the written turns were cloned from"


def test_a_synthesized_user_asks_in_the_voice_that_spoke_the_turns() -> None:
    by = asked("cpu", "synthesized", "ann")
    assert (by.speaker, by.clip) == ("ann", None)
