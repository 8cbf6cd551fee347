"""What a benchmark's rubric asks for and a rule can see."""

from __future__ import annotations

import pytest

from ieat_data.checks.base import Said
from ieat_data.checks.own import own_checks
from ieat_data.checks.rubric import RUBRIC, flat_trajectory, one_turn
from ieat_data.config import Pipeline
from ieat_data.prompting.base import Turn

TURNS = {
    "en": (
        Turn("I was packing the boxes so slowly.", "neutral"),
        Turn("The lift suddenly stopped!", "fear"),
        Turn("They got me out, my sister had called them.", "happy"),
    ),
    "zh": (
        Turn("我慢慢地收拾箱子。", "neutral"),
        Turn("电梯突然停了！", "fear"),
        Turn("姐姐打了电话，我出来了。", "happy"),
    ),
}

VIVID = {
    "en": [
        "You were neutral while you packed, then terribly fearful in the lift, and happy when your sister helped.",
        "You were neutral, then all at once fearful when the lift stopped, and happy when they got you out.",
        "You were neutral at first, then fearful in the lift, which eased when they got you out, and you were happy.",
        "You were neutral, then fearful, and more and more so in the lift, then happy because of your sister.",
    ],
    "zh": [
        "你先是平静的，电梯停了以后非常害怕，后来出来了就开心了。",
        "你先是平静的，电梯停了，你一下子害怕起来，后来开心了。",
        "你先是平静的，在电梯里越来越害怕，姐姐打了电话，你才开心。",
    ],
}
FLAT = {
    "en": [
        "You were neutral while you packed, then fearful because the lift suddenly stopped, and then happy.",
        "You packed so slowly and were neutral. Then you were fearful in the lift, and then you were happy.",
        "You were neutral because of the boxes, fearful because of the lift, and happy because they got you out.",
    ],
    "zh": ["你先是平静的，慢慢地收拾箱子。后来电梯突然停了，你很害怕。最后你开心了。"],
}


def said(text: str, language: str, task: str = "trajectory", turns: int = 3) -> Said:
    return Said(text, task, language, TURNS[language][:turns])


@pytest.mark.parametrize(("language", "text"), [(x, t) for x, texts in VIVID.items() for t in texts])
def test_strength_or_speed_is_seen(language: str, text: str) -> None:
    assert not flat_trajectory(said(text, language))


@pytest.mark.parametrize(("language", "text"), [(x, t) for x, texts in FLAT.items() for t in texts])
def test_a_flat_trajectory_is_found_and_the_users_own_words_do_not_count(language: str, text: str) -> None:
    assert flat_trajectory(said(text, language))
    assert not flat_trajectory(said(text, language, "reasoning"))


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("en", "You were fearful because the lift stopped and you couldn't know what would happen.", True),
        ("en", "You were fearful because the lift stopped, and happy because your sister had called.", False),
        ("en", "You feel that way because you care a lot.", False),  # out of none: another check's
        ("zh", "你害怕，是因为电梯停了，你不知道会怎么样。", True),
        ("zh", "你害怕，是因为电梯停了；姐姐帮了你，你就开心了。", False),
    ],
)
def test_reasoning_out_of_one_turn(language: str, text: str, found: bool) -> None:
    assert one_turn(said(text, language, "reasoning")) is found
    assert not one_turn(said(text, language, "reasoning", turns=1))
    assert not one_turn(said(text, language, "trajectory"))


def test_a_pipeline_asks_for_them_by_their_names() -> None:
    names = [c.code for c in RUBRIC]
    pipeline = Pipeline.model_validate(
        {"name": "p", "sources": {}, "configs": ["stage1_1"], "checks": {"answer": names}}
    )
    assert own_checks(pipeline)["answer"] == RUBRIC
