"""Who speaks: the signs of an answer in the user's own person."""

from __future__ import annotations

import pytest

from ieat_data.checks.person import begins_as_user, speaks_as_user

PASSED, SOUP = "I finally passed my driving test on the fourth try!", "公厕的地上全是脏水，味道熏得我想吐。"
BUS = "The bus to the library leaves every twenty minutes."


@pytest.mark.parametrize(
    ("language", "transcript", "answer"),
    [
        ("en", PASSED, "I'm so proud, I finally passed my driving test!"),
        ("en", PASSED, "The fourth try on my driving test was the best."),
        ("en", BUS, "I was going to the library myself."),
        ("zh", SOUP, "这个环境真的很差，我真想吐出来。"),
        ("zh", "老师说卷子弄混了，我考了全班第一！", "最后我考了全班第一，你很开心。"),
    ],
)
def test_the_users_story_as_its_own(language: str, transcript: str, answer: str) -> None:
    assert speaks_as_user(answer, transcript, language)


@pytest.mark.parametrize(
    ("language", "transcript", "answer"),
    [
        ("en", PASSED, "You passed your driving test on the fourth try, I'm so proud of you!"),
        ("en", PASSED, "I can imagine how the driving test felt."),
        ("en", "I can't believe it, I won.", "I can't believe it, what a win for you!"),
        ("en", BUS, "Good to know, that makes the library easy to reach."),
        ("zh", SOUP, "我能理解，那味道换谁都想吐。"),
        ("zh", "老师说卷子弄混了，我考了全班第一！", "你考了全班第一，我真为你高兴。"),
    ],
)
def test_a_listeners_words(language: str, transcript: str, answer: str) -> None:
    assert not speaks_as_user(answer, transcript, language)


@pytest.mark.parametrize(
    ("language", "transcript", "thought", "verdict"),
    [
        ("en", "My sister came all the way.", " My sister is far away, so I am glad.", True),
        ("en", "My sister came all the way.", ' They say "My sister came", which means a lot.', False),
        ("en", "My sister came all the way.", " Their sister came. My reply should be glad.", False),
        ("zh", "我妈居然会打游戏！", "我妈居然这么厉害，真没想到。", True),
        ("zh", "我妈居然会打游戏！", "我先替他高兴，再问问他妈妈。", False),
    ],
)
def test_thoughts_in_the_users_person(language: str, transcript: str, thought: str, verdict: bool) -> None:
    assert begins_as_user(thought, transcript, language) is verdict
