from __future__ import annotations

import pytest

from ieat_data.checks.language import is_language, script_share, to_simplified, traditional_share


@pytest.mark.parametrize(
    "text",
    [
        "Hi there!",
        "Good morning!",
        "I miss my grandmother so much.",
        "Why does the sea taste salty?",
        "My friend José gave me a lovely mug.",
        "No way, that's amazing!",
        "They gave the job to somebody else, and I’m furious.",
        "Please tell me how volcanoes erupt.",
    ],
)
def test_english(text: str) -> None:
    assert is_language(text, "en")
    assert not is_language(text, "zh")


@pytest.mark.parametrize(
    "text",
    [
        "你好",
        "我今天真的很难过。",
        "我想买一部iPhone手机",
        "他的名字叫乾隆，是个著名的皇帝。",
        "我女儿考上清华大学了！",
        "为什么天是蓝的？",
    ],
)
def test_chinese(text: str) -> None:
    assert is_language(text, "zh")
    assert not is_language(text, "en")


@pytest.mark.parametrize(
    "text",
    [
        "Ich weiß nicht, was ich heute machen soll.",
        "No sé qué hacer con mi vida, estoy muy triste.",
        "Je ne sais pas pourquoi il est parti.",
        "Perché il mare è salato?",
        "Wat moet ik vandaag doen met het eten?",
        "Не знаю, что делать.",
        "今日はとても悲しいです。",
        "오늘 너무 슬퍼요.",
        "謝謝你，我覺得這個問題很難。",
        "I love 北京烤鸭 and 火锅 very much",
        "",
        "12345 !!!",
        "lorem ipsum dolor amet consectetur adipiscing elit",
    ],
)
def test_neither(text: str) -> None:
    assert not is_language(text, "en")
    assert not is_language(text, "zh")


def test_shares() -> None:
    assert script_share("ab 你好!") == {"latin": 0.5, "han": 0.5}
    assert script_share("123 …") == {}
    assert traditional_share("這個") == 1.0
    assert traditional_share("这个") == 0.0
    assert to_simplified("頭髮") == "头发"


def test_unknown_language_is_an_error() -> None:
    with pytest.raises(ValueError, match="known are 'zh' and 'en'"):
        is_language("hola", "es")
