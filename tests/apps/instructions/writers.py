"""LLMs of the tests that write instructions: good lines and bad ones, by rule, and one that never does."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ieat_data.engines.base import Completion, Failure, Generate
from tests.support.doubles import LLM

# like nothing in the shipped banks, nor like each other
GOOD = {
    "en": [
        "Who or what is my feeling really about?",
        "What reasons do you hear for my feelings?",
        "If my feeling could speak, what would it say it's about?",
        "Could you retrace what brought me to this feeling?",
        "What clues did I give about the cause of my mood?",
        "And that's how it is. Why do you think it makes me feel this way?",
        "What lit this feeling in me?",
        "I was hoping you could tell me the reason for my mood.",
        "May I ask what you think lies behind my mood?",
        "What's your sense of why I feel as I do?",
        "If I asked for the reason behind my mood, what would you point to?",
        "There are many ways to feel; why is mine this one?",
        "What feeds this mood of mine?",
        "Why has this feeling come to me?",
    ],
    "zh": [
        "我想知道是什么勾起了我的这份情绪。",
        "旁观者会说我这种感受是什么引起的？",
        "到底是什么打动了我？",
        "我是在意什么，才会有这种感受的？",
        "我这股情绪，是打哪儿来的？",
        "我在想我为什么会这样，你怎么看？",
        "我这份感受，是什么给点着的？",
        "说白了，我这心情是什么造成的？",
        "我会有这种感受，是因为我看重什么吗？",
        "那你说说，我这份感受的后头是什么？",
        "一个在意我的人，会怎么解释我的感受？",
        "我的感受是冲什么来的，你清楚吗？",
        "话说回来，我怎么会有这种感觉呢？",
        "这事怎么就留在我心里了，为什么？",
    ],
}
BAD = {
    "en": {
        "names_emotion": "Why am I so upset about all this?",
        "names_facts": "Why did my boss make me feel this way?",
        "wrong_person": "Why do you feel the way that you feel?",
        "asks_advice": "Why do I feel this, and how can I deal with it?",
        "off_topic": "Which feeling do you hear in my voice?",
        "too_long": "Why " + "oh why " * 15 + "do I feel this way?",
        "not_plain": "Why do I feel 100 percent like this?",
        "wrong_language": "我为什么会有这种感受？",
        "duplicate": "why do i feel this way",
        "near_duplicate": "Why do I feel that way?",
    },
    "zh": {
        "names_emotion": "我为什么这么委屈，是什么原因？",
        "names_facts": "我妈妈说的话为什么让我心里有这种感觉？",
        "wrong_person": "你的心情为什么会是这样，我想知道。",
        "asks_advice": "我为什么会有这种心情，该怎么调整呢？",
        "off_topic": "你能听出我是什么情绪吗，说说？",
        "not_plain": "我为什么会有这种feel的感受？",
        "wrong_language": "Why do I feel this way?",
        "duplicate": "我为什么会有这种感受。",
        "near_duplicate": "我为什么会有那种感受？",
    },
}
# these two differ in punctuation only, which the check of plain text sees first
BAD["en"]["duplicate"] += "?"


def language_of(request: Generate) -> str:
    return "zh" if re.search(r"[\u4e00-\u9fff]", request.prompt[1].text) else "en"


class Writer(LLM):
    """Each answer holds some bad lines and three good ones that follow from the seed; some answers are cut off."""

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        return [self._write(r) for r in requests]

    def _write(self, r: Generate) -> Completion | Failure:
        if r.seed % 11 == 0:
            return Failure("engine_error", "no answer")
        language = language_of(r)
        fresh = GOOD[language]
        good = [fresh[(r.seed + i) % len(fresh)] for i in (0, 5, 9)]
        lines = [*BAD[language].values(), "", *good, "Why do I feel like th"]
        text = "\n".join(f"{i}. {x}" if i % 2 else f"- “{x}”" for i, x in enumerate(lines))
        return Completion((text,), "length")


class Dying(LLM):
    """Its process ends when it is asked."""

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        os._exit(1)


class Parrot(LLM):
    """Says the same whatever it is asked."""

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        return [Completion(("Why do I feel this way?\n" * 3,), "stop") for _ in requests]
