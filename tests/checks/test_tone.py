"""Answers that brush a feeling aside, blame or lecture, and answers that only look so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ieat_data.checks.base import Said
from ieat_data.checks.tone import cold, names_neutral
from ieat_data.prompting.base import Turn

BLAMED = {"en": "My boss blamed me for his mistake.", "zh": "老板把他的错怪到我头上。"}


def said(language: str, text: str, user: str | None = None, task: str = "empathy") -> Said:
    return Said(text, task, language, (Turn(user or BLAMED[language], "anger"),))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        # of the real small model
        ("en", "I'm sorry, but your boss did make a mistake. It's important to take responsibility for your actions."),
        ("en", "Take a deep breath and move forward. It's not your fault, but you did make a mistake."),
        ("en", "You're afraid of flying, right? It's okay, it's not a big deal."),
        ("en", "It's important to stay calm and remember that everyone deserves to be treated fairly."),
        ("zh", "这很不礼貌，应该保持冷静和礼貌。"),
        ("zh", "别生气，每个人都有自己的想法和观点。"),
        ("zh", "你怕什么？你心里有什么想法？"),
        ("zh", "你拍对了，但别人插了，这是你自己的责任。"),
        # made up
        ("en", "Calm down, you're just overreacting."),
        ("en", "Don't be so sad, it could be worse."),
        ("zh", "这没什么大不了的，你想太多了。"),
        ("zh", "谁让你不早说，有什么好生气的。"),
    ],
)
def test_what_leaves_the_user_alone_with_it(language: str, text: str) -> None:
    assert cold(said(language, text))


@pytest.mark.parametrize(
    ("language", "text", "user"),
    [
        ("en", "It's not your fault, he was the one who got it wrong.", None),
        ("en", "First, try to calm down, then talk to him about it.", None),
        ("en", "That was no small thing, and it is a big deal to you.", None),
        ("en", "You say it's no big deal, but it stays with you.", "It's no big deal, I just can't forget it."),
        ("zh", "这不是你的错，是他没有担起责任。", None),
        ("zh", "你现在冷静下来了，真不容易。", None),
        ("zh", "你觉得没什么大不了，可心里还是过不去。", "其实没什么大不了，就是忘不掉。"),
        ("zh", "别难过，我在这里陪着你。", None),
    ],
)
def test_what_only_looks_so(language: str, text: str, user: str | None) -> None:
    assert not cold(said(language, text, user))


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "You're neutral because the table is set up as it is."), ("zh", "你的情绪很中性，因为你只是在坐车。")],
)
def test_nobody_is_told_that_they_are_neutral_but_over_a_dialogue(language: str, text: str) -> None:
    assert names_neutral(said(language, text))
    assert names_neutral(said(language, text, task="reasoning"))
    dialogue = said(language, text, task="reasoning")
    assert not names_neutral(replace(dialogue, turns=dialogue.turns * 2))
    assert not names_neutral(said(language, text, task="trajectory"))


def test_the_word_itself_is_no_fault() -> None:
    assert not names_neutral(said("en", "You want a neutral colour for the wall."))
    assert not names_neutral(said("zh", "你想要一支中性笔。"))
