"""Injection by itself: the score of a label reaches the phrasing of the think body."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.rows import KindName, Language, Speaker, Target
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


def rows(score: float, kind: KindName | None = None) -> list[Felt]:
    said: dict[Language, str] = {
        "en": "My sister sold the piano that I learned on.",
        "zh": "姐姐把我小时候学琴的那架钢琴卖掉了。",
    }
    return [
        Felt(f"{language}-{label}", "ok", language, text, label, score, kind)
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
        (injected, own) = parts(child.think, child.think_spans)
        assert injected[0] == "injected" and injected[1] in (bank.unsure if hedged else bank.sure)
        assert own[0] == "model"


def test_the_threshold_is_a_setting(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    children = [c for x in Inject(InjectSettings(unsure_below=0.0)).process(rows(0.01), ctx) for c in x]
    for child in (c.row for c in children if c.reject is None):
        assert parts(child.think, child.think_spans)[0][1] in single(child, ctx).sure


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (None, {"reasoning", "empathy"}),
        ("feeling", {"reasoning", "empathy"}),
        ("request", {"empathy"}),
        ("statement", {"empathy"}),
        ("narration", set()),
    ],
)
def test_the_kind_of_a_row_says_which_targets_it_gets(
    tmp_path: Path, kind: KindName | None, expected: set[str]
) -> None:
    ctx = context(tmp_path)
    given = rows(0.9, kind)
    made = Inject(InjectSettings(neutral_reasoning_share=1.0)).process(given, ctx)
    tasks = {r.id: {c.row.task for c in children} for r, children in zip(given, made, strict=True)}
    plain = {"en-neutral", "zh-neutral"}
    felt = set() if kind in ("request", "statement") else expected
    assert tasks == {i: expected if i in plain else felt for i in tasks}, "what is plain is answered where it sounds so"
    without = sum(not t for t in tasks.values())
    assert ctx.notes.get("untargeted", {}) == ({kind: without} if without else {})
