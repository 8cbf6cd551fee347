"""`opening: native`: the model begins a thought by itself, the emotion follows, and what is unfit falls back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.rows import Speaker, Target
from ieat_data.data.thoughts import own, parts
from ieat_data.engines.base import NOT_RECORDED, Completion, Failure, Generate
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.paths import shipped
from ieat_data.stages.asking import descriptor_of
from ieat_data.stages.base import Context
from ieat_data.stages.dialogue.inject import Felt, Inject, InjectSettings
from ieat_data.stages.dialogue.inject_dialogues import InjectDialogues, InjectDialoguesSettings
from ieat_data.stages.dialogue.openings import TOKENS, TRIES, Opening, opens_by_itself
from ieat_data.stages.row_by_row import Child
from ieat_data.stages.speech.speakers import Voices
from tests.support import corpora
from tests.support.doubles import LLM

SAID = "My sister sold the piano that I learned on."
ROW = Felt("u1", "ok", "en", SAID, "sad", 0.9, "ann", "recorded", None, None)
BEGUN = "Okay, the user said that the piano was sold. I need to think about it."
Answers = Callable[[Generate, int], Completion | Failure]


class Scripted:
    """An engine's client whose openings are scripted; it notes the calls."""

    def __init__(self, begin: Answers) -> None:
        self.begin, self.engine, self.calls = begin, LLM(), [[]]  # type: ignore[var-annotated]
        self.tries: dict[str, int] = {}

    def generate(self, requests: Sequence[Generate], rows: Sequence[str]) -> list[Any]:
        self.calls.append(list(requests))
        answers = []
        for request, row in zip(requests, rows, strict=True):
            if request.prompt[-1].control:
                answers.append(self.begin(request, self.tries.get(row, 0)))
                self.tries[row] = self.tries.get(row, 0) + 1
            else:
                answers += self.engine.generate([replace(request, seed=1)])
        return answers


def run(folder: Path, begin: Answers, opening: Opening | None = "native") -> tuple[list[Child[Target]], Scripted]:
    made = corpora.make(folder)
    llm = Scripted(begin)
    engines: Any = {"llm": llm}
    shared = {"voices": Voices([Speaker("ann", "en"), Speaker("dai", "zh")])}
    ctx = Context(load_pipeline(made.pipeline), load_profile(made.profile), engines, shared=shared)
    (children,) = Inject(InjectSettings(opening=opening)).process([ROW], ctx)
    return children, llm


def origins(child: Child[Target]) -> list[str]:
    assert child.reject is None
    return [s.origin for s in child.row.think_spans]


def test_the_models_own_opening_stands_before_the_emotion(tmp_path: Path) -> None:
    children, llm = run(tmp_path, lambda r, n: Completion((BEGUN + " Then",), "length"))
    assert len(children) == 2, "reasoning and empathy"
    _, first, second = llm.calls
    assert len(first) == len(second) == 2, "all openings in one call, all thoughts in the next"
    for child, asked, goes_on in zip(children, first, second, strict=True):
        assert origins(child) == ["model", "injected", "model"]
        (_, begun), (_, heard), (_, rest) = parts(child.row.think, child.row.think_spans)
        assert begun == BEGUN and "sad" in heard and SAID[:20] not in heard, "what was said is not quoted again"
        assert own(child.row.think, child.row.think_spans) == [begun, rest]
        assert asked.sampling.max_tokens == TOKENS and asked.prompt[-1].text.endswith("<think>\n")
        assert "sad" not in asked.prompt[-1].text + asked.prompt[-2].text, "no emotion is given"
        assert goes_on.prompt[: len(asked.prompt)] == asked.prompt and asked.shared == goes_on.shared
        assert goes_on.prompt[-1].text == begun + heard


def test_an_unfit_opening_is_asked_for_again_with_another_seed(tmp_path: Path) -> None:
    def begin(request: Generate, attempt: int) -> Completion:
        return Completion(("Okay, the user is angry about the piano. I",) if attempt == 0 else (BEGUN,), "length")

    children, llm = run(tmp_path, begin)
    assert [origins(c) for c in children] == [["model", "injected", "model"]] * 2
    _, first, again, _ = llm.calls
    assert {r.seed for r in first}.isdisjoint({r.seed for r in again})


UNFIT: dict[str, Completion | Failure] = {
    "another emotion": Completion(("Okay, the user is furious about the piano. I",), "length"),
    "a closed block": Completion(("Okay, the user lost the piano.", "That is sad."), "stop"),
    "no sentence": Completion(("Okay, the user",), "length"),
    "a row's failure": Failure("context", "too long"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_unfit_openings_fall_back_to_a_written_one(tmp_path: Path, what: str) -> None:
    children, llm = run(tmp_path, lambda r, n: UNFIT[what])
    written, _ = run(tmp_path, lambda r, n: pytest.fail("written openings are not asked for"), "written")
    assert [c.row for c in children] == [c.row for c in written]
    assert [origins(c) for c in children] == [["injected", "model"]] * 2
    assert all(f'"{SAID[:-1]}"' in c.row.think for c in children)
    assert len(llm.calls) == 1 + TRIES + 1


@pytest.mark.parametrize("reason", [NOT_RECORDED, "kills_engine"])
def test_an_opening_that_no_try_can_bring_is_the_rows_reject(tmp_path: Path, reason: str) -> None:
    children, llm = run(tmp_path, lambda r, n: Failure(reason, "why"))
    assert [c.reject and c.reject.reason for c in children] == [reason] * 2
    assert len(llm.calls) == 2, "the thoughts are not asked for"


def test_by_default_a_model_that_thinks_by_itself_begins_by_itself() -> None:
    gpu, cpu = load_profile("gpu"), load_profile("cpu")
    assert opens_by_itself(None, gpu) and not opens_by_itself(None, cpu)
    assert not opens_by_itself("written", gpu) and opens_by_itself("native", cpu)


@pytest.mark.parametrize("path", sorted((shipped() / "pipelines").glob("*.yaml")), ids=lambda p: p.stem)
def test_no_shipped_pipeline_cuts_a_native_thinker(path: Path) -> None:
    pipeline = load_pipeline(str(path))
    for stage in (Inject(), InjectDialogues()):
        settings: InjectSettings | InjectDialoguesSettings = stage.configured(pipeline).settings
        assert settings.max_tokens is None, "the descriptor says it"
    thinks, imitates = descriptor_of(load_profile("gpu")), descriptor_of(load_profile("cpu"))
    assert thinks and imitates and thinks == load_descriptor("qwen3")
    assert thinks.sampling.thinking.max_tokens >= 1024 > imitates.sampling.thinking.max_tokens
