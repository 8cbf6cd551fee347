"""Rows of a conversation: what carries a loss is what the sample and the options say, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from ieat_data.dataset.export.conversation import Conversations, Row
from ieat_data.dataset.export.options import ConversationSettings
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.errors import UserError
from ieat_data.strict import validate
from tests.dataset.export.dialogues import NATIVE, WRITTEN, reply, sample, two_turns, user


def made_of(sample: dict[str, Any], tags: tuple[str, ...] = (), **options: Any) -> list[Row] | str:
    return Conversations(ConversationSettings(**options), load_descriptor("qwen3"), tags).rows(sample, "c")


def rows(sample: dict[str, Any], **options: Any) -> list[Row]:
    made = made_of(sample, **options)
    assert isinstance(made, list)
    return made


def runs(row: Row) -> list[list[tuple[str, bool]]]:
    return [t.runs() for t in row.turns if t.role == "assistant"]


def test_the_injected_body_carries_no_loss_and_the_rest_of_a_trained_turn_does() -> None:
    (row,) = rows(two_turns())
    written, native = runs(row)
    assert written == [
        ("<think>\nOkay, they said so. They sound sad.", False),
        (" The mug was hers.\n</think>\n\nAnswer 0.", True),
    ]
    assert native == [
        ("<think>\nOkay, they said so.", True),
        (" They sound sad.", False),
        (" The mug was hers.\n</think>\n\nAnswer 1.", True),
    ]


def test_all_of_a_thought_is_trained_if_so_wanted() -> None:
    (row,) = rows(two_turns(), injected="train")
    assert [[loss for _, loss in r] for r in runs(row)] == [[True], [True]]


@pytest.mark.parametrize(
    ("parts", "left"), [(WRITTEN, "The mug was hers."), (NATIVE, "Okay, they said so. The mug was hers.")]
)
def test_a_dropped_body_leaves_the_models_own_words(parts: list[tuple[str, str]], left: str) -> None:
    (row,) = rows(sample(user(0), reply(0, True, parts)), injected="drop")
    assert runs(row) == [[(f"<think>\n{left}\n</think>\n\nAnswer 0.", True)]]


def test_untrained_turns_carry_no_loss_with_their_thoughts_or_without() -> None:
    (kept,) = rows(two_turns(first_trained=False))
    (stripped,) = rows(two_turns(first_trained=False), history_think="strip", turns="last")
    assert {loss for _, loss in runs(kept)[0]} == {False} and "mug" in runs(kept)[0][0][0]
    assert runs(stripped)[0] == [("Answer 0.", False)] and "mug" in runs(stripped)[1][-1][0]


def test_each_trained_turn_gets_a_row_that_ends_with_it() -> None:
    one, two = rows(two_turns(), turns="each", history_think="strip")
    assert (one.id, two.id) == ("a" * 32 + "-1", "a" * 32 + "-2")
    assert [t.loss for t in one.turns if t.role == "assistant"] == [True] and len(one.clips) == 1
    assert [t.loss for t in two.turns if t.role == "assistant"] == [False, True] and len(two.clips) == 2
    assert runs(two)[0] == [("Answer 0.", False)]


def test_the_last_turn_alone() -> None:
    (row,) = rows(two_turns(), turns="last")
    assert [t.loss for t in row.turns if t.role == "assistant"] == [False, True] and row.id == "a" * 32


def test_every_clip_stands_in_its_own_turn() -> None:
    (row,) = rows(two_turns())
    assert [t.clip for t in row.turns] == [0, None, 1, None]
    assert [c.seconds for c in row.clips] == [0.1, 0.1] and row.clips[0].data != row.clips[1].data


def test_a_field_has_the_thought_without_tags() -> None:
    (row,) = rows(two_turns(), think="field")
    assert "".join(p.text for p in row.turns[1].thought) == "Okay, they said so. They sound sad. The mug was hers."
    (bare,) = rows(two_turns(), think="none", injected=None)
    assert all(not t.thought for t in bare.turns)


@pytest.mark.parametrize("text", ["<audio>", "<AUDIO>", "<|im_end|>", "</think>", "<|anything_new|>", "<tool_call>"])
def test_a_text_with_a_tag_of_the_target_leaves_the_sample_out(text: str) -> None:
    made = two_turns()
    made["messages"][1]["content"] = f"Hear {text} this."
    assert made_of(made, ("<audio>",)) == "target_tag"
    made = two_turns()
    made["messages"][1]["think"] += text
    assert made_of(made, ("<audio>",)) == "target_tag"


def test_what_cannot_be_trained_is_left_out_with_a_reason() -> None:
    assert made_of(sample(user(0), reply(0, True), seconds=0.3), max_audio_s=0.2) == "audio_too_long"
    assert isinstance(made_of(sample(user(0), reply(0, True), seconds=0.3), max_audio_s=None), list)
    assert made_of(sample(user(0), reply(0, False))) == "nothing_trained"
    spoken = sample(user(0), {**reply(0, True), "kind": "speech"})
    assert made_of(spoken) == "speech_out"


def test_trained_turns_never_lose_their_own_history_by_halves() -> None:
    with pytest.raises(UserError, match="turns=all with history_think=strip would train earlier replies without"):
        validate(ConversationSettings, {"turns": "all", "history_think": "strip"}, "x")
    with pytest.raises(UserError, match="say injected=train"):
        validate(ConversationSettings, {"injected": None}, "x")


def test_shares_of_what_is_trained_are_counted() -> None:
    made = Conversations(ConversationSettings(), load_descriptor("qwen3"))
    for row in rows(two_turns(first_trained=False)):
        made.count(row)
    told = made.about()
    assert (told["conversations"], told["replies"], told["trained_turns"], told["clips_placed"]) == (1, 2, 1, 2)
    assert told["trained_share_of_characters"] == {"answer": 0.5, "model": round(37 / 55, 4), "injected": 0.0}
