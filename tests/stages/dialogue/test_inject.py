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


def rows(score: float, kind: KindName | None = None, conflict: float | None = None) -> list[Felt]:
    said: dict[Language, str] = {
        "en": "My sister sold the piano that I learned on.",
        "zh": "姐姐把我小时候学琴的那架钢琴卖掉了。",
    }
    return [
        Felt(f"{language}-{label}", "ok", language, text, label, score, "ann", "recorded", kind, conflict)
        for language, text in said.items()
        for label in LABELS
    ]


def single(target: Target, ctx: Context, task: str = "") -> Any:
    """The bodies for a target's emotion."""
    prompts: Any = prompts_of(ctx.profile)
    return prompts.think(task or target.task, target.language).single[target.turns[0].emotion.label]


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


FELT = {f"{g}-{label}" for g in ("en", "zh") for label in LABELS if label != "neutral"}
PLAIN = {"en-neutral", "zh-neutral"}


def made(ctx: Context, given: list[Felt], **settings: Any) -> dict[str, list[Target]]:
    """The targets of each row, the rejected ones too; every neutral one may get a reasoning target."""
    stage = Inject(InjectSettings(neutral_reasoning_share=1.0, **settings))
    return {r.id: [c.row for c in cs] for r, cs in zip(given, stage.process(given, ctx), strict=True)}


@pytest.mark.parametrize("conflict", [None, 0.0, 0.6])
@pytest.mark.parametrize("mode", ["hedge", "drop", "contrastive"])
def test_what_is_no_strong_conflict_is_made_as_ever(tmp_path: Path, mode: Any, conflict: float | None) -> None:
    ctx = context(tmp_path)
    before = made(ctx, rows(0.9))
    assert made(ctx, rows(0.9, conflict=conflict), conflict=mode) == before
    assert made(ctx, rows(0.9, conflict=0.9), conflict="keep") == before
    assert "untargeted" not in ctx.notes


def test_a_strong_conflict_is_hedged_whatever_the_score(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    found = made(ctx, rows(0.99, conflict=0.61), conflict="hedge", unsure_below=0.0)
    accepted = [t for targets in found.values() for t in targets if t.think]
    assert len(accepted) > len(LABELS)
    for target in accepted:
        assert parts(target.think, target.think_spans)[0][1].endswith(single(target, ctx).drawn_from(unsure=True))


def test_a_strong_conflict_is_dropped_and_counted(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    given = rows(0.9, conflict=0.61)
    assert all(not targets for targets in made(ctx, given, conflict="drop").values())
    assert ctx.notes["untargeted"] == {"conflict": len(given)}
    assert all(targets for targets in made(ctx, given, conflict="drop", conflict_above=0.7).values())


@pytest.mark.parametrize("kind", [None, "feeling", "statement"])
def test_what_the_voice_alone_says_goes_into_a_config_of_its_own(tmp_path: Path, kind: KindName | None) -> None:
    ctx = context(tmp_path)
    found = made(ctx, rows(0.9, kind, 0.9), conflict="contrastive")
    tasks = {i: {t.task for t in targets} for i, targets in found.items()}
    assert {i for i, names in tasks.items() if names == {"contrastive"}} == FELT, "also a flat sentence, said sadly"
    assert all("contrastive" not in tasks[i] and tasks[i] for i in PLAIN), "a flat voice says nothing"
    told = [t for i in FELT for t in found[i] if t.think]
    assert told
    for t in told:
        bodies = single(t, ctx, "empathy").drawn_from(unsure=False)
        assert parts(t.think, t.think_spans)[0][1].endswith(bodies)
    hedged = [t for i in PLAIN for t in found[i] if t.think]
    for t in hedged:
        assert parts(t.think, t.think_spans)[0][1].endswith(single(t, ctx).drawn_from(unsure=True))


def test_read_aloud_text_gets_no_target_whatever_the_voice_says(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    given = rows(0.9, "narration", 0.9)
    assert all(not targets for targets in made(ctx, given, conflict="contrastive").values())
    assert ctx.notes["untargeted"] == {"narration": len(given)}
