"""What a replay says of a request that was not recorded."""

from __future__ import annotations

from typing import Any

import pytest

from ieat_data.engines.base import (
    NOT_RECORDED,
    Completion,
    Failure,
    Generate,
    Sampling,
    Segment,
    Synthesize,
    Transcribe,
    Transcript,
)
from ieat_data.engines.cache import ResponseCache, encode
from ieat_data.engines.keys import answer_key
from ieat_data.engines.recording import Asked, describe
from ieat_data.engines.replay import ReplayClient

pytestmark = pytest.mark.long

ENGINE = {"engine": "e", "settings": {"model": "m"}, "models": [{"name": "m", "files": {"a.bin": "0" * 64}}]}


def generate(text: str = "I lost my keys.", task: str = "Answer briefly.", seed: int = 7, tokens: int = 99) -> Generate:
    segments = (Segment("<|im_start|>", True), Segment(task), Segment("<|im_end|>", True), Segment(text))
    return Generate(segments, Sampling(max_tokens=tokens), seed, 3)


def client(
    *requests: Any, engine: dict[str, Any] = ENGINE, method: str = "generate", role: str = "llm"
) -> ReplayClient:
    recorded = {}
    for request in requests:
        key, answer = answer_key(method, request, ENGINE), encode(Completion(("Oh no.",), "stop"))
        recorded[key] = Asked(key, "row1", role, method, describe(request), answer)
    store = ResponseCache(None, {k: a.answer for k, a in recorded.items()})
    return ReplayClient(role, recorded, ENGINE, identity=engine, cache=store)


def test_a_recorded_request_is_answered() -> None:
    assert client(generate()).generate([generate()], ["row1"]) == [Completion(("Oh no.",), "stop")]


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (generate(text="I lost my dog."), "the prompt changed: I lost my [-keys-]{+dog+}."),
        (generate(task="Answer warmly."), "the prompt changed: Answer [-briefly-]{+warmly+}."),
        (generate(tokens=50), "the sampling changed: max_tokens 99 → 50"),
        (generate(seed=8), "the seed differs from that of its 1 recorded try (7 → 8)"),
    ],
)
def test_what_is_asked_otherwise_is_named(request_: Generate, why: str) -> None:
    assert client(generate()).generate([request_], ["row1"]) == [Failure(NOT_RECORDED, f"llm.generate: {why}")]


def test_the_try_with_the_same_seed_is_compared() -> None:
    asked = client(generate(seed=1, text="one"), generate(seed=2, text="two"))
    (failure,) = asked.generate([generate(seed=2, text="three")], ["row1"])
    assert failure.message == "llm.generate: the prompt changed: [-two-]{+three+}"


def test_another_template_is_shown_as_a_whole() -> None:
    request = Generate((Segment("Answer briefly."), Segment("I lost my keys.")), Sampling(max_tokens=99), 7, 3)
    (failure,) = client(generate()).generate([request], ["row1"])
    assert "[-<|im_start|>-]Answer briefly." in failure.message


def test_a_row_that_never_asked_is_named() -> None:
    (failure,) = client(generate()).generate([generate(seed=3)], ["row2"])
    assert "nothing was recorded for this row" in failure.message


def test_another_model_is_named_and_not_the_prompt() -> None:
    other = {**ENGINE, "models": [{"name": "m", "files": {"a.bin": "1" * 64}}]}
    (failure,) = client(generate(), engine=other).generate([generate()], ["row1"])
    assert failure.message == "llm.generate: the engine differs from the recorded one: models.0.files.a.bin"
    (failure,) = client(generate(), engine={**ENGINE, "settings": {"model": "m2"}}).generate([generate()], ["row1"])
    assert "settings.model m → m2" in failure.message


def test_another_clip_or_text_is_named() -> None:
    asked = client(Transcribe(b"one", "en"), method="transcribe", role="asr")
    (failure,) = asked.transcribe([Transcribe(b"two", "en")], ["row1"])
    assert failure.message == "asr.transcribe: the audio changed: the bytes differ from the recorded ones"
    asked = client(Synthesize("今天很好。", "zh", "zf", 1), method="synthesize", role="tts")
    (failure,) = asked.synthesize([Synthesize("今天很糟。", "zh", "zm", 1)], ["row1"])
    assert failure.message == "tts.synthesize: the text changed: 今天很[-好-]{+糟+}。; the voice changed: [-zf-]{+zm+}"


def test_a_request_that_was_edited_by_hand_is_found_out() -> None:
    key = answer_key("transcribe", Transcribe(b"one", "en"), ENGINE)
    edited = Asked("0" * 64, "row1", "asr", "transcribe", describe(Transcribe(b"one", "en")), encode(Transcript("one")))
    (failure,) = ReplayClient("asr", {key: edited}, ENGINE, identity=ENGINE, cache=ResponseCache(None)).transcribe(
        [Transcribe(b"one", "en")], ["row1"]
    )
    assert "does not have the key that it was recorded under" in failure.message
