from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ieat_data.engines.base import (
    Chosen,
    Clip,
    Completion,
    EmotionScores,
    Failure,
    SpeechTokens,
    Transcribe,
    Transcript,
)
from ieat_data.engines.cache import DAMAGED, OUTDATED, ResponseCache
from ieat_data.engines.client import EngineClient
from ieat_data.engines.frames import Encoded

GIVEN = {
    "a": Completion((" because", "好的。"), "stop", 12, (1, 2, 3)),
    "b": Chosen((0.25, 0.75)),
    "c": Transcript("hello", {"avg_logprob": -0.1}),
    "d": EmotionScores({"sad": 1.0}, {"arousal": 0.2}),
    "e": Clip(b"fLaC\x00\xff", 16_000, 1.5),
    "f": Failure("too_short", "0.01 s"),
    "g": SpeechTokens((6560, 0), 25.0),
    "h": SpeechTokens(None, 0.0),
}


def test_answers_come_back_as_they_were_in_another_process_too(tmp_path: Path) -> None:
    store = ResponseCache(tmp_path / "s")
    store.put({k: v for k, v in GIVEN.items() if k < "d"})
    store.put({k: v for k, v in GIVEN.items() if k >= "d"})
    again = ResponseCache(tmp_path / "s")  # not closed: as after a kill
    assert {k: again.get(k) for k in GIVEN} == GIVEN
    store.close()
    assert {k: ResponseCache(tmp_path / "s").get(k) for k in GIVEN} == GIVEN


def test_a_new_answer_is_what_a_rerun_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-of-more-than-sixteen-characters")
    said = Completion(("it is sk-of-more-than-sixteen-characters",), "stop", 3, (1, 2), ["<think>"])
    heard = Transcript("hello", {"avg_logprob": np.float64(-0.1)})
    store = ResponseCache(tmp_path / "s")
    store.put({"said": said, "heard": heard})
    new, read = ([cache.get(k) for k in ("said", "heard")] for cache in (store, ResponseCache(tmp_path / "s")))
    assert new == read == [Completion(("it is ***",), "stop", 3, (1, 2), ("<think>",)), GIVEN["c"]]
    assert type(new[1].details["avg_logprob"]) is float, "a stage never sees what a rerun would not"


def test_a_file_cut_off_anywhere_gives_whole_answers_or_none(tmp_path: Path) -> None:
    store = ResponseCache(tmp_path / "s")
    for k, v in GIVEN.items():
        store.put({k: v})
    store.close()
    (path,) = (tmp_path / "s").glob("*.answers")
    data = path.read_bytes()
    counts = []
    for cut in range(0, len(data), 37):
        path.write_bytes(data[:cut])
        known = ResponseCache(tmp_path / "s")
        there = [k for k in GIVEN if k in known]
        assert all(known.get(k) == GIVEN[k] for k in there)
        assert there == list(GIVEN)[: len(there)]
        counts.append(len(there))
    assert counts == sorted(counts)
    assert counts[-1] >= len(GIVEN) - 1


def _stored(folder: Path) -> tuple[Path, bytes]:
    store = ResponseCache(folder)
    for k, v in GIVEN.items():
        store.put({k: v})
    store.close()
    (path,) = folder.glob("*.answers")
    return path, path.read_bytes()


def test_any_flipped_bit_costs_the_answer_that_it_hits_and_changes_none(tmp_path: Path) -> None:
    path, data = _stored(tmp_path / "s")
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << (at % 8)
        for old in (tmp_path / "s").iterdir():
            old.unlink()
        path.write_bytes(damaged)
        known = ResponseCache(tmp_path / "s")
        there = [k for k in GIVEN if k in known]
        assert len(there) == len(GIVEN) - 1, f"byte {at}"
        assert all(known.get(k) == GIVEN[k] for k in there)
        last = at >= data.rindex(b"h SpeechTokens") - 16  # a length of the last answer: as cut off by a kill, not told
        assert known.take_notes() in ([{DAMAGED: 1}, {}] if last else [{DAMAGED: 1}])
        known.close()


def test_no_bytes_in_place_of_answers_raise_or_become_one(tmp_path: Path) -> None:
    path, data = _stored(tmp_path / "s")
    draw = random.Random(1)
    noise = [draw.randbytes(draw.randrange(400)) for _ in range(50)]
    for bytes_ in (b"", b"\0" * 999, data[:4] * 99, *noise, *(data[:90] + n for n in noise)):
        for old in (tmp_path / "s").iterdir():
            old.unlink()
        path.write_bytes(bytes_)
        known = ResponseCache(tmp_path / "s")
        assert [k for k in known._known if known.get(k) != GIVEN[k]] == []
        known.close()


def test_damage_is_told_once_and_what_is_sound_is_kept(tmp_path: Path) -> None:
    path, data = _stored(tmp_path / "s")
    path.write_bytes(data.replace(b"hello", b"hallo").replace(b"because", b"BECAUSE"))
    again = ResponseCache(tmp_path / "s")
    assert ("a" in again, "c" in again, "h" in again) == (False, False, True)
    assert again.take_notes() == {DAMAGED: 2}
    assert again.take_notes() == {}
    again.put({"c": GIVEN["c"]})
    again.close()
    third = ResponseCache(tmp_path / "s")
    assert third.take_notes() == {}
    assert [k for k in GIVEN if k in third] == [k for k in GIVEN if k != "a"]


def test_an_answer_that_this_version_cannot_decode_is_asked_again(tmp_path: Path) -> None:
    engine = _Engine()
    (request,) = requests = [Transcribe(b"a", "en")]
    key = _client(engine, tmp_path).keys("transcribe", [request])[0]
    wrong = [Encoded("Transcript", "{", None), Encoded("Gone", "{}", None), Encoded("Transcript", '{"texts": 1}', None)]
    for stored in wrong:
        client = EngineClient(
            _Pool(engine), chunk=1, identity={"engine": "e"}, cache=ResponseCache(None, {key: stored})
        )
        assert [t.text for t in client.transcribe(requests, ["row"])] == ["a"]
        assert client.cache.take_notes() == {DAMAGED: 1}


def test_answers_of_an_earlier_version_are_not_read_and_are_told(tmp_path: Path) -> None:
    (tmp_path / "0.arrows").write_bytes(b"\xff" * 99)
    assert ResponseCache(tmp_path).take_notes() == {OUTDATED: 1}


class _Engine:
    def __init__(self, short: bool = False) -> None:
        self.asked: list[int] = []
        self.short = short

    def transcribe(self, requests: list[Transcribe]) -> list[Any]:
        self.asked.append(len(requests))
        return [Transcript(r.audio.decode()) for r in requests][: 1 if self.short else None]


class _Pool:
    """One engine in this process."""

    def __init__(self, engine: _Engine) -> None:
        self.engine = engine

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        for i, chunk in enumerate(chunks):
            yield i, getattr(self.engine, method)(list(chunk)), 0.0


def _client(engine: _Engine, folder: Path, chunk: int = 2) -> EngineClient:
    return EngineClient(_Pool(engine), chunk=chunk, identity={"engine": "e"}, cache=ResponseCache(folder))


def test_a_client_asks_once_for_each_distinct_request_and_keeps_the_order(tmp_path: Path) -> None:
    engine = _Engine()
    requests = [Transcribe(x, "en") for x in (b"a", b"b", b"a", b"c", b"b")]
    rows = ["row"] * 5
    assert [t.text for t in _client(engine, tmp_path).transcribe(requests, rows)] == ["a", "b", "a", "c", "b"]
    assert engine.asked == [2, 1]
    assert [t.text for t in _client(engine, tmp_path).transcribe(requests[::-1], rows)] == ["b", "c", "a", "b", "a"]
    assert engine.asked == [2, 1], "the second client found all answers"


def test_an_engine_that_loses_an_answer_is_found_out(tmp_path: Path) -> None:
    """Which of the two it lost, nobody knows: none is kept, and each is asked alone."""
    engine = _Engine(short=True)
    got = _client(engine, tmp_path).transcribe([Transcribe(b"a", "en"), Transcribe(b"b", "en")], ["x", "y"])
    assert [t.text for t in got] == ["a", "b"]
    assert engine.asked == [2, 1, 1]
