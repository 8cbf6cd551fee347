"""Keys of requests: the same as answers were always stored under, whatever is written once for many."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ieat_data.engines.base import (
    Choose,
    Classify,
    Generate,
    Sampling,
    Segment,
    SpeakerPrompt,
    Synthesize,
    Transcribe,
)
from ieat_data.engines.keys import answer_key, answer_keys
from ieat_data.hashing import fingerprint

_TEXTS = st.text('aB"\\/\n\x7f\u2028é好😀\ud800', max_size=6)  # what JSON escapes, and a lone surrogate
_CLIPS = st.binary(max_size=9)
_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_SEGMENTS = st.builds(Segment, _TEXTS, st.booleans())
_REQUESTS = st.one_of(
    st.builds(
        Generate,
        st.lists(_SEGMENTS, max_size=3).map(tuple),
        st.builds(Sampling, st.integers(), _NUMBERS, _NUMBERS),
        st.integers(),
        st.integers(0, 9),
    ),
    st.builds(Choose, st.lists(_SEGMENTS, max_size=3).map(tuple), st.lists(_TEXTS, max_size=3).map(tuple)),
    st.builds(Transcribe, _CLIPS, _TEXTS),
    st.builds(Classify, _CLIPS, _TEXTS, _TEXTS, st.lists(_CLIPS, max_size=2).map(tuple)),
    st.builds(
        Synthesize,
        _TEXTS,
        _TEXTS,
        _TEXTS,
        st.integers(),
        st.none() | st.builds(SpeakerPrompt, _CLIPS, _TEXTS, _TEXTS),
        st.none() | _TEXTS,
    ),
)
_ENGINES = st.dictionaries(_TEXTS, _TEXTS | _NUMBERS | st.booleans() | st.lists(_NUMBERS), max_size=3)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # of a busy machine
@given(st.lists(_REQUESTS, max_size=4), _ENGINES)
def test_a_key_is_the_hash_of_the_requests_json_as_answers_were_always_stored(
    requests: list[Any], engine: dict[str, Any]
) -> None:
    copied = [{k: v for k, v in asdict(r).items() if v is not None} for r in requests]
    assert answer_keys("ask", requests, engine) == [fingerprint(["ask", fields, engine]) for fields in copied]


def test_a_recordings_keys_are_those_of_today() -> None:
    request = Generate((Segment("a", True), Segment("b")), Sampling(), 7, 1)
    before = "b83ae62b5616efb5d768aaa72a70a4cb5be05a66d806341d2975b89ed1888710"
    assert answer_key("generate", request, {"x": 1}) == before


def test_equal_values_of_other_types_have_keys_of_their_own() -> None:
    one, two = (Generate((), Sampling(top_p=p), 1) for p in (1, 1.0))
    alone = [answer_key("generate", r, {}) for r in (one, two)]
    assert answer_keys("generate", [one, two], {}) == alone
    assert alone[0] != alone[1]


def test_the_key_sees_all_of_the_request_and_the_engine() -> None:
    def key(prompt: str = "hi", control: bool = False, seed: int = 1, tokens: int = 5, engine: str = "x") -> str:
        request = Generate((Segment(prompt, control),), Sampling(max_tokens=tokens), seed)
        return answer_key("generate", request, {"engine": engine})

    keys = {key(), key("ho"), key(control=True), key(seed=2), key(tokens=6), key(engine="y")}
    assert len(keys) == 6
    assert key() == key()
    assert answer_key("transcribe", Transcribe(b"1", "en"), {}) != answer_key("transcribe", Transcribe(b"2", "en"), {})
