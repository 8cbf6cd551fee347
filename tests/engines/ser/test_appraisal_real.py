"""The words alone, as the small LLM of the `cpu` profile reads them, on sentences that no prompt was made with."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ieat_data.engines.llm.options import LANGUAGES
from ieat_data.engines.ser.appraisal import FEELINGS, appraisal
from ieat_data.paths import prompts_dir

pytestmark = pytest.mark.models

SENTENCES = [json.loads(line) for line in (Path(__file__).parent / "feelings.jsonl").read_text("utf-8").splitlines()]


Appraise = Callable[[list[tuple[str, str]]], list[Any]]


@pytest.fixture(scope="module")
def appraise() -> Appraise:
    from ieat_data.engines.llm.llamacpp import LlamaCpp

    llm = LlamaCpp("qwen2.5-coder-1.5b-instruct-q4", "qwen2.5", context=2048)
    words_say = appraisal(prompts_dir(), "qwen2.5")
    return lambda items: words_say.weigh([("", g, t) for g, t in items], lambda asked, _: llm.choose(asked))


def test_held_out_sentences_are_understood_far_better_than_by_chance(appraise: Appraise) -> None:
    rows = [s for s in SENTENCES if s["split"] == "held_out"][::2]
    right: dict[str, list[bool]] = defaultdict(list)
    for row, p in zip(rows, appraise([(r["language"], r["text"]) for r in rows]), strict=True):
        assert isinstance(p, dict), p
        right[row["language"]].append(max(FEELINGS, key=p.__getitem__) == row["label"])
    assert {g: len(right[g]) for g in LANGUAGES} == {"en": 21, "zh": 21}
    for language in LANGUAGES:
        assert sum(right[language]) / 21 > 0.5, language  # by chance: 0.14


def test_the_same_question_gets_the_same_answer_in_any_company(appraise: Appraise) -> None:
    items = [(s["language"], s["text"]) for s in SENTENCES[::28]]
    assert appraise(items[::-1]) == appraise(items)[::-1]
    assert appraise(items[:1]) == appraise(items)[:1]
