"""How a model began its thought: cut at a sentence end, and unfit where it closes, says nothing or names a feeling."""

from __future__ import annotations

import pytest

from ieat_data.checks.base import Rejected
from ieat_data.checks.opening import opening
from ieat_data.data.emotions import Labels
from ieat_data.engines.base import Completion
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import Turn

LABELS = Labels.load(prompts_dir() / "labels.yaml")
TURNS = {
    "en": [Turn("My dog Benny died last night, and nobody is home.", "sad")],
    "zh": [Turn("我的狗昨天晚上走了，家里好安静。", "sad")],
}


def begin(language: str, *parts: str, finish: str = "length", turns: list[Turn] | None = None) -> str | Rejected:
    return opening("empathy", language, Completion(parts, finish), turns or TURNS[language], None, LABELS)


@pytest.mark.parametrize(
    ("language", "begun", "kept"),
    [
        ("en", "Okay, the user said their dog died. I need to", "Okay, the user said their dog died."),
        ("en", "Okay, their dog died. I need to answer. Then I", "Okay, their dog died. I need to answer."),
        ("en", "Okay, their dog died. I need to answer. Then I stop. And", "Okay, their dog died. I need to answer."),
        ("en", 'Okay, so they said, "Benny died. Nobody is home." I need to think. Then',
         'Okay, so they said, "Benny died. Nobody is home." I need to think.'),
        ("en", "Okay, they saw Dr. Smith at 9.30 p.m. today. Now", "Okay, they saw Dr. Smith at 9.30 p.m. today."),
        ("en", "Okay, they said their dog died. They sound sad. I", "Okay, they said their dog died."),
        ("zh", "好的，用户的狗走了。用户听起来很难过。我需要", "好的，用户的狗走了。"),
        ("en", "\nOkay, so the dog died?\n\nFirst, they", "Okay, so the dog died?"),
        ("zh", "好的，用户说狗昨天晚上走了。我需要", "好的，用户说狗昨天晚上走了。"),
        ("zh", "好的，用户的狗走了。首先，我需要安慰用户。然后我", "好的，用户的狗走了。首先，我需要安慰用户。"),
        ("zh", "好的，用户说：“狗走了。家里好安静。”我得想想。然后",
         "好的，用户说：“狗走了。家里好安静。”我得想想。"),
    ],
)  # fmt: skip
def test_whole_sentences_are_kept_two_at_most(language: str, begun: str, kept: str) -> None:
    assert begin(language, begun) == kept


@pytest.mark.parametrize(
    ("language", "parts", "reason"),
    [
        ("en", ("",), "opening_empty"),
        ("en", ("Okay, the user said that their dog Benny died and now",), "opening_empty"),
        ("en", ("Okay.",), "opening_empty"),
        ("zh", ("好的。",), "opening_empty"),
        ("en", ("Okay, the user lost their dog.", "I'm sorry."), "opening_closes"),
        ("zh", ("好的，用户的狗昨天走了。\n", "我很抱歉"), "opening_closes"),
        ("en", ("Okay, the user is angry that their dog died. I",), "opening_names_another_emotion"),
        ("en", ("Okay, the user lost a dog and must be terrified now. I",), "opening_names_another_emotion"),
        ("en", ("Okay, they said their dog died. They sound angry. I",), "opening_names_another_emotion"),
        ("zh", ("好的，用户的狗走了，用户很生气。",), "opening_names_another_emotion"),
        ("zh", ("好的，用户的狗走了，TA好像很恼火。",), "opening_names_another_emotion"),
        ("en", ("My dog Benny died and I miss him. I",), "think_first_person"),
        ("zh", ("Okay, so the user lost the dog!",), "think_wrong_language"),
        ("en", ("Okay, as an AI I cannot know what their dog meant. I",), "think_as_an_ai"),
        ("en", ("Okay, the dog died <|im_end|> last night. I",), "think_control_text"),
    ],
)
def test_what_is_unfit(language: str, parts: tuple[str, ...], reason: str) -> None:
    assert begin(language, *parts) == Rejected(reason)


def test_what_comes_after_two_sentences_does_not_matter() -> None:
    assert begin("en", "Okay, their dog died. I need to answer. They are angry.", "I'm sorry.") == (
        "Okay, their dog died. I need to answer."
    )


def test_the_emotion_that_was_heard_and_those_the_user_named_may_stand() -> None:
    assert begin("en", "Okay, the user is sad about the dog. I") == "Okay, the user is sad about the dog."
    turns = [Turn("I am so angry that the dog died.", "sad")]
    assert begin("en", "Okay, they say they are angry about the dog. I", turns=turns) == (
        "Okay, they say they are angry about the dog."
    )
