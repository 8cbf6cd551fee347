"""One prompt per task and language, segment by segment, as it is sent.

After a change of prompts that is meant: `IEAT_UPDATE_GOLDEN=1 pytest tests/prompting`, then read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import LANGUAGES, TASKS, Language, Prompt, Task, ThoughtPrompt, Turn
from ieat_data.prompting.prompts import Prompts

GOLDEN = Path(__file__).parent / "golden"
FAMILIES = ("qwen3", "qwen2.5")
TURNS: dict[Language, list[Turn]] = {
    "en": [
        Turn("The train leaves at nine.", "neutral"),
        Turn("They cancelled it!", "anger"),
        Turn("Still nothing.", "anger"),
    ],
    "zh": [Turn("火车九点开。", "neutral"), Turn("居然取消了！", "anger"), Turn("还是没有消息。", "anger")],
}
QUESTION: dict[Language, str] = {"en": "How did I feel?", "zh": "我是什么心情？"}


def make(prompts: Prompts, task: Task, language: Language) -> Prompt:
    turns = TURNS[language]
    if task == "respond":
        return prompts.respond(language, turns[0].transcript)
    if task == "empathy":
        return prompts.inject(task, language, turns[1:2], None, 7)
    return prompts.inject(task, language, turns, QUESTION[language], 7)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_prompts_are_what_they_were(task: Task, language: Language) -> None:
    got = {}
    for family in FAMILIES:
        prompt = make(Prompts(prompts_dir(), load_descriptor(family)), task, language)
        segments = [{"control" if s.control else "plain": s.text} for s in prompt.segments]
        injected = prompt.injected if isinstance(prompt, ThoughtPrompt) else None
        got[family] = {"shared": prompt.shared, "injected": injected, "segments": segments}
    path = GOLDEN / f"{task}.{language}.json"
    if os.environ.get("IEAT_UPDATE_GOLDEN"):
        path.write_text(json.dumps(got, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert got == json.loads(path.read_text(encoding="utf-8"))
