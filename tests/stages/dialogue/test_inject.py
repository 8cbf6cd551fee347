"""Injection by itself: the score of a label reaches the phrasing of the think body."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.rows import Language, Speaker, Target
from ieat_data.data.thoughts import parts
from ieat_data.stages.asking import prompts_of
from ieat_data.stages.base import Context
from ieat_data.stages.dialogue.inject import Felt, Inject, InjectSettings
from ieat_data.stages.speech.speakers import Voices
from tests.support import corpora
from tests.support.doubles import LABELS, LLM


class Direct:
    """An engine's client without a pool."""

    def __init__(self) -> None:
        self.engine = LLM()

    def generate(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self.engine.generate(requests)


def context(folder: Path) -> Context:
    made = corpora.make(folder)
    speakers = [Speaker("ann", "en"), Speaker("dai", "zh")]
    engines: Any = {"llm": Direct()}
    shared = {"voices": Voices(speakers)}
    return Context(load_pipeline(made.pipeline), load_profile(made.profile), engines, shared=shared)


def rows(score: float) -> list[Felt]:
    said: dict[Language, str] = {
        "en": "My sister sold the piano that I learned on.",
        "zh": "姐姐把我小时候学琴的那架钢琴卖掉了。",
    }
    return [
        Felt(f"{language}-{label}", "ok", language, text, label, score, "ann", "recorded")
        for language, text in said.items()
        for label in LABELS
    ]


def single(target: Target, ctx: Context) -> Any:
    """The bodies for a target's emotion."""
    prompts: Any = prompts_of(ctx.profile)
    return prompts.think(target.task, target.language).single[target.turns[0].emotion.label]


@pytest.mark.parametrize(("score", "hedged"), [(0.59, True), (0.6, False)])
def test_a_low_score_makes_a_hedged_think(tmp_path: Path, score: float, hedged: bool) -> None:
    ctx = context(tmp_path)
    stage = Inject(InjectSettings())
    children = [c for of_one in stage.process(rows(score), ctx) for c in of_one]
    accepted = [c.row for c in children if c.reject is None]
    assert len(accepted) > len(LABELS)
    for child in accepted:
        bank = single(child, ctx)
        injected, own = parts(child.think, child.think_spans)
        assert injected[0] == "injected" and injected[1].endswith(bank.drawn_from(unsure=hedged))
        assert injected[1].startswith(("Okay", "Alright") if child.language == "en" else "好的") and own[0] == "model"


def test_the_threshold_is_a_setting(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    children = [c for x in Inject(InjectSettings(unsure_below=0.0)).process(rows(0.01), ctx) for c in x]
    for child in (c.row for c in children if c.reject is None):
        assert parts(child.think, child.think_spans)[0][1].endswith(single(child, ctx).drawn_from(unsure=False))
