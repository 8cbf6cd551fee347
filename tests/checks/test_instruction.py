"""Is a text a question of its task that takes nothing for granted?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ieat_data.checks import instruction
from ieat_data.checks.alike import Alikes
from ieat_data.checks.instruction import REASONS, check_instruction, presupposes, wants_short_form
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir

WRONG = {
    ("trajectory", "en"): {
        "Why do I feel this way?": "off_topic",
        "What am I feeling right now?": "off_topic",
        "Please tell me about my feelings.": "off_topic",
        "How did I go from calm to furious?": "names_emotion",
        "How did my sadness develop?": "names_emotion",
        "How did my mood change after the talk with my boss?": "names_facts",
        "How did my mood change over the four turns?": "counts_turns",
        "How did she make my mood change as we talked?": "names_gender",
        "How did your mood change while I talked?": "wrong_person",
        "How did the mood change over the conversation?": "wrong_person",
        "How can I change my mood over time?": "asks_advice",
        "How did it go?": "wrong_person",
        "My mood?": "too_short",
        "How did my mood change": "not_plain",
        "How did my mood change? 😀": "not_plain",
        "How did my mood change from 1 to 2?": "not_plain",
        "How did <b>my mood</b> change?": "markup",
        "How did my mood change?</think>": "control_text",
        "我的心情是怎么变的？": "wrong_language",
        "How did my mood " + "really " * 23 + "change?": "too_long",
    },
    ("reasoning", "en"): {
        "How did my mood change over our talk?": "off_topic",
        "Why did my mood shift as I talked?": "off_topic",
        "Which emotion do you hear in my voice?": "off_topic",
        "Tell me what I feel.": "off_topic",
        "Why am I crying about this?": "names_emotion",
        "Why am I so anxious about it?": "names_emotion",
        "Why did yesterday make me feel this way?": "names_facts",
        "Why do you feel this way about me?": "wrong_person",
        "Why do I feel like this and what can I do?": "asks_advice",
        "What color is my mood, and why?": "asks_form",
        "Why do I feel this way, and is it normal?": "asks_verdict",
        "Can a machine tell me why I feel this way?": "names_machine",
    },
    ("trajectory", "zh"): {
        "我为什么会有这种感受？": "off_topic",
        "我现在是什么心情呢？": "off_topic",
        "我是怎么从开心变成难过的？": "names_emotion",
        "我的委屈是怎么一步步变化的？": "names_emotion",
        "说到我妈妈的时候，我的心情怎么变的？": "names_facts",
        "我的情绪在这三轮里怎么变的？": "counts_turns",
        "跟那位先生聊完，我的心情怎么变的？": "names_gender",
        "你的心情跟着我怎么变的？": "wrong_person",
        "心情是怎么一步一步变化的？": "wrong_person",
        "我该怎么调整心情的变化？": "asks_advice",
        "我变了吗？": "too_short",
        "我的mood是怎么变的？": "not_plain",
        "我的心情是怎么变的": "not_plain",
        "How did my mood change?": "wrong_language",
    },
    ("reasoning", "zh"): {
        "我的情绪是怎么变化的？": "off_topic",
        "你听得出我的情绪吗？": "off_topic",
        "我为什么这么生气呢？": "names_emotion",
        "我的工作为什么让我有这种感受？": "names_facts",
        "你为什么会感到这样，我想知道。": "wrong_person",
        "我为什么会有这种感受，该怎么办？": "asks_advice",
        "我的心情是什么颜色，为什么？": "asks_form",
        "我有这种感受正常吗，为什么？": "asks_verdict",
        "问机器有点傻，可我为什么会这样？": "names_machine",
    },
}


@pytest.mark.parametrize(
    ("task", "language", "text", "reason"),
    [(task, language, text, reason) for (task, language), x in WRONG.items() for text, reason in x.items()],
)
def test_what_is_no_instruction(task: str, language: str, text: str, reason: str) -> None:
    assert reason in REASONS
    assert check_instruction(text, task, language) == reason


@pytest.mark.parametrize(
    ("task", "language", "text"),
    [
        ("trajectory", "en", "Did my mood change at all, or was I the same throughout?"),
        ("trajectory", "en", "My emotions, from beginning to end, please."),
        ("trajectory", "en", "I’d like to hear how my heart’s mood went along."),
        ("reasoning", "en", "So what's behind this feeling?"),
        ("reasoning", "en", "I sound like this, but why?"),
        ("trajectory", "zh", "我的心情变没变？说说经过。"),
        ("reasoning", "zh", "听我的口气，你觉得是因为什么？"),
    ],
)
def test_what_is_one(task: str, language: str, text: str) -> None:
    assert check_instruction(text, task, language) is None


@pytest.mark.parametrize(
    ("language", "text", "context"),
    [
        ("en", "Why do I feel like this?", False),
        ("en", "What is making me feel this way?", False),
        ("en", "Could you tell me where this feeling comes from?", False),
        ("en", "From what I told you, why do I feel like this?", True),
        ("en", "Why did that make me feel this way?", True),
        ("en", "So why do I feel like this?", True),
        ("en", "What in my voice tells you why I feel so?", True),
        ("zh", "我为什么会有这种感觉？", False),
        ("zh", "你说说，我怎么会有这样的心情？", False),
        ("zh", "听了我说的，我为什么会有这种感受？", True),
        ("zh", "这件事为什么让我有这种感受？", True),
        ("zh", "那我为什么会有这种感受？", True),
    ],
)
def test_what_presupposes_that_the_user_has_spoken(language: str, text: str, context: bool) -> None:
    assert presupposes(text, "reasoning", language) is context
    assert presupposes(text, "trajectory", language), "how a mood changed is asked of talk that has been"


def test_what_asks_for_a_word_or_a_sentence() -> None:
    assert wants_short_form("In one sentence, why do I feel like this?", "en")
    assert wants_short_form("用一句话说，我为什么会这样？", "zh")
    assert not wants_short_form("What one thing makes me feel like this?", "en")
    assert not wants_short_form("你说句话，我为什么会这样？", "zh")


def test_a_rule_that_is_no_pattern_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("labels.yaml", "instructions/rules.en.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = (prompts_dir() / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("speaker: [", 'speaker: ["(",'), encoding="utf-8")
    monkeypatch.setattr(instruction, "prompts_dir", lambda: tmp_path)
    instruction._rules.cache_clear()
    try:
        with pytest.raises(UserError, match=r"rules.en.yaml: .* is not a regular expression"):
            check_instruction("Why do I feel this way?", "reasoning", "en")
    finally:
        instruction._rules.cache_clear()


def test_alike_is_what_differs_in_a_word_or_in_the_order_of_words() -> None:
    en = Alikes("en", ["How did my mood change over our talk?", "Why do I feel this way?"])
    assert en.find("how did my mood change over our chat") == "How did my mood change over our talk?"
    assert en.find("Over our talk, how did my mood change?") == "How did my mood change over our talk?"
    assert en.find("Where does this mood of mine come from?") is None
    zh = Alikes("zh", ["我的心情是怎么一路变过来的？"])
    assert zh.find("我的心情，是怎样一路变过来的呢？") == "我的心情是怎么一路变过来的？"
    assert zh.find("聊到现在，我跟刚开始比有什么不同？") is None
    assert Alikes("en").find("Why?") is None


def test_the_words_of_a_task_are_not_those_of_the_other() -> None:
    """Most questions of one task are none of the other: they would not get the answer they ask for."""
    for language in ("en", "zh"):
        path = prompts_dir() / "instructions" / f"trajectory.{language}.jsonl"
        texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
        wrong = [t for t in texts if check_instruction(t, "reasoning", language) is None]
        assert len(wrong) < 0.3 * len(texts)
