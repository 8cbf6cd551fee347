"""Whose fault a failed request is: found out by asking alone, beside requests that are answered."""

from __future__ import annotations

import copy
import errno
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ieat_data.engines import asking
from ieat_data.engines.base import (
    Classify,
    Clip,
    Completion,
    EmotionScores,
    Failure,
    Generate,
    Sampling,
    Segment,
    Synthesize,
    Transcribe,
    Transcript,
)
from ieat_data.engines.cache import ResponseCache
from ieat_data.engines.client import EngineClient
from ieat_data.engines.local import LocalPool
from ieat_data.errors import EngineDied, EngineDown, StorageDown, UserError
from ieat_data.execution.starts import Starts

Engine = Callable[[Sequence[Any]], list[Any]]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long would have been waited, and no waiting."""
    seen: list[float] = []
    monkeypatch.setattr(time, "sleep", seen.append)
    return seen


class ASR:
    """Hears what a clip's bytes say, unless `act` does something else. Remembers its calls."""

    def __init__(self, act: Callable[[list[str], int], Any] = lambda texts, n: None) -> None:
        self.act, self.calls = act, list[list[str]]()

    def transcribe(self, requests: Sequence[Transcribe]) -> Any:
        texts = [r.audio.decode("utf-8", "replace") for r in requests]
        self.calls.append(texts)
        other = self.act(texts, len(self.calls))
        return [Transcript(t) for t in texts] if other is None else other


def ask(engine: Any, texts: str, folder: Path | None = None, chunk: int = 4, pool: Any = None, told: Any = None) -> Any:
    cache = ResponseCache(folder)
    asked = EngineClient(
        pool or LocalPool(engine),
        chunk=chunk,
        identity={"engine": "e"},
        cache=cache,
        tell=([] if told is None else told).append,
    )
    try:
        got = asked.transcribe([Transcribe(t.encode(), "en") for t in texts], list(texts))
    finally:
        cache.close()
    return "".join(a.text if isinstance(a, Transcript) else f"<{a.reason}>" for a in got)


def raising(text: str, error: Exception) -> Callable[[list[str], int], Any]:
    def act(texts: list[str], n: int) -> None:
        if text in texts:
            raise error

    return act


def test_a_request_that_always_fails_is_the_rows_and_only_that_row_fails(tmp_path: Path) -> None:
    engine = ASR(raising("f", RuntimeError("shape mismatch")))
    assert ask(engine, "abcdefgh", tmp_path) == "abcde<engine_error>gh"
    alone = [i for i, c in enumerate(engine.calls) if c == ["f"]]
    assert len(alone) >= 2
    assert all(len(engine.calls[i + 1]) == 1 for i in alone[-2:]), "after each, one that is answered"
    before = len(engine.calls)
    assert ask(engine, "abcdefgh", tmp_path) == "abcde<engine_error>gh"
    assert len(engine.calls) == before, "proven, so it is stored"


def test_an_engine_that_raises_for_a_while_costs_no_row(pauses: list[float]) -> None:
    def act(texts: list[str], n: int) -> None:
        if 2 < n < 12:
            raise RuntimeError("CUDA error: invalid argument")

    assert ask(ASR(act), "abcdefghijkl", chunk=2) == "abcdefghijkl"
    assert pauses, "it waited"


def test_a_broken_device_of_this_process_stops_at_once_with_one_line(tmp_path: Path, pauses: list[float]) -> None:
    broken = ASR(raising("c", RuntimeError("CUDA error: an illegal memory access was encountered")))
    with pytest.raises(UserError, match=r"device is broken for as long as this process lives: give the same command"):
        ask(broken, "abcd", tmp_path, chunk=2)
    assert not pauses, "no waiting helps"
    assert ask(ASR(), "abcd", tmp_path) == "abcd"


def test_an_engine_that_answers_nobody_is_down_and_nothing_is_stored(tmp_path: Path) -> None:
    engine = ASR(raising("a", ConnectionError("refused")))
    engine.act = lambda texts, n: (_ for _ in ()).throw(ConnectionError("connection refused"))
    with pytest.raises(EngineDown, match=r"engine e answers nothing: ConnectionError: connection refused"):
        ask(engine, "abc", tmp_path)
    engine.act = lambda texts, n: None
    assert ask(engine, "abc", tmp_path) == "abc"


def test_finished_calls_are_kept_when_the_next_one_stops_everything(tmp_path: Path) -> None:
    engine = ASR(raising("e", UserError("the key is wrong")))
    with pytest.raises(UserError, match="the key is wrong"):
        ask(engine, "abcdefgh", tmp_path)
    engine.calls.clear()
    engine.act = lambda texts, n: None
    assert ask(engine, "abcdefgh", tmp_path) == "abcdefgh"
    assert engine.calls == [["e", "f", "g", "h"]]


@pytest.mark.parametrize("reason", ["out_of_memory", "engine_error", "server_refused", "timeout"])
def test_a_failure_that_passes_is_asked_again(reason: str) -> None:
    def act(texts: list[str], n: int) -> Any:
        return [Failure(reason, "another process holds the GPU")] * len(texts) if 2 <= n < 7 else None

    assert ask(ASR(act), "abcdefgh", chunk=2) == "abcdefgh"


def test_a_failure_that_lasts_while_others_are_answered_is_the_rows() -> None:
    def act(texts: list[str], n: int) -> Any:
        return [Failure("out_of_memory", "30 s") if t == "c" else Transcript(t) for t in texts]

    assert ask(ASR(act), "abcd") == "ab<out_of_memory>d"


def test_what_the_engine_says_of_the_request_itself_needs_no_proof() -> None:
    engine = ASR(lambda texts, n: [Failure("no_speech", "a tone") if t == "b" else Transcript(t) for t in texts])
    assert ask(engine, "abc") == "a<no_speech>c"
    assert len(engine.calls) == 1


def test_lacking_memory_with_every_request_is_the_services() -> None:
    engine = ASR(lambda texts, n: [Failure("out_of_memory", "2 GiB")] * len(texts))
    with pytest.raises(EngineDown, match="out_of_memory: 2 GiB"):
        ask(engine, "abcd")


@pytest.mark.parametrize(
    "nonsense", [None, "x", [], [None, None], [Transcript("a")], [Transcript(1), Transcript("b")]], ids=repr
)
def test_passing_nonsense_is_asked_again_and_never_kept(nonsense: Any) -> None:
    class Odd(ASR):
        def transcribe(self, requests: Sequence[Transcribe]) -> Any:
            got = super().transcribe(requests)
            return nonsense if len(self.calls) == 1 else got

    assert ask(Odd(), "ab") == "ab"


class Pool:
    """Replicas whose process dies of one request, as Ray's would."""

    def __init__(self, engine: ASR, poison: str) -> None:
        self.engine, self.poison, self.deaths = engine, poison, 0

    def alone(self) -> Pool:
        return self

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, Any, float]]:
        for i, chunk in enumerate(chunks):
            if any(r.audio.decode() == self.poison for r in chunk):
                self.deaths += 1
                yield i, EngineDied("the engine's process died"), 0.0
            else:
                yield i, self.engine.transcribe(chunk), 0.0


def test_a_request_that_kills_the_process_is_found_with_few_deaths(tmp_path: Path) -> None:
    pool, told = Pool(ASR(), "g"), list[str]()
    assert ask(None, "abcdefgh", tmp_path, chunk=8, pool=pool, told=told) == "abcdef<kills_engine>h"
    assert pool.deaths == 1 + 3 + asking.ALONE - 1, "halves of 8, and the proof"
    assert any("a process died in a call of 8 requests" in t for t in told)
    assert ask(None, "abcdefgh", tmp_path, chunk=8, pool=pool) == "abcdef<kills_engine>h"
    assert pool.deaths == 1 + 3 + asking.ALONE - 1, "a rerun kills it no more"


def test_a_run_that_was_ended_while_it_searched_begins_with_the_suspects(tmp_path: Path) -> None:
    class Stopped(Pool):
        def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, Any, float]]:
            if self.deaths == 3:
                raise KeyboardInterrupt
            yield from super().run(method, chunks)

    with pytest.raises(KeyboardInterrupt):
        ask(None, "abcdefgh", tmp_path, chunk=8, pool=Stopped(ASR(), "g"))
    pool = Pool(ASR(), "g")
    assert ask(None, "abcdefgh", tmp_path, chunk=8, pool=pool) == "abcdef<kills_engine>h"
    assert pool.deaths <= asking.ALONE + 1


def test_a_call_that_had_not_begun_when_the_process_died_is_under_no_suspicion() -> None:
    class Beside(Pool):
        def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, Any, float]]:
            for i, chunk in enumerate(chunks):
                self.deaths += 1
                if self.deaths <= 4 and len(chunk) == 1:
                    yield i, EngineDied("died of another call", began=False), 0.0
                else:
                    yield i, self.engine.transcribe(chunk), 0.0

    assert ask(None, "a", chunk=1, pool=Beside(ASR(), "")) == "a"


class Replicas:
    """Two replicas whose processes die of many requests, and may start ten times between two answers."""

    def __init__(self, folder: Path, poison: str, only: Sequence[int] = (0, 1)) -> None:
        self.folder, self.poison, self.only, self.turn = folder, poison, only, 0
        for at in only:
            self.start(at)

    def start(self, at: int) -> None:
        self.starts = {**getattr(self, "starts", {}), at: Starts(self.folder / f"{at}.starts", "build")}
        self.starts[at].loading("asr")
        self.starts[at].loaded()

    def replica(self, at: int) -> Replicas:
        one = copy.copy(self)
        one.only = [self.only[at]]
        return one

    def alone(self) -> Replicas:
        return self.replica(0)

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, Any, float]]:
        for i, chunk in enumerate(chunks):
            at = i % len(self.only)
            if any(r.audio.decode("utf-8", "replace") in self.poison for r in chunk):
                try:
                    self.start(self.only[at])
                    yield i, EngineDied("the engine's process died", replica=at), 0.0
                except UserError as e:
                    yield i, e, 0.0
            else:
                self.starts[self.only[at]].answered()
                yield i, ASR().transcribe(chunk), 0.0


@pytest.mark.parametrize("chunk", [2, 16, 64])
def test_many_requests_that_kill_the_process_do_not_use_up_its_starts(tmp_path: Path, chunk: int) -> None:
    poison = "abcdefghijklmnopqrstuvwxyzABCD"
    pool = Replicas(tmp_path, poison)
    said = ask(None, f"{poison}0123456789", chunk=chunk, pool=pool)
    assert said == "<kills_engine>" * 30 + "0123456789"


def test_answers_wait_for_a_disk_that_is_full_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    put, left = ResponseCache.put, [2]

    def full(self: ResponseCache, answers: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        put(self, answers)

    monkeypatch.setattr(ResponseCache, "put", full)
    engine = ASR()
    assert ask(engine, "abcd", tmp_path) == "abcd"
    assert (len(engine.calls), len(pauses)) == (1, 2), "paid once"
    left[0] = 99
    with pytest.raises(StorageDown, match="No space left"):
        ask(engine, "efgh", tmp_path)


SCORES = {"happy": 0.7, "sad": 0.3}
TALK = Generate((Segment("hi"),), Sampling(), 1)


@pytest.mark.parametrize(
    ("method", "request_", "answer", "reason"),
    [
        ("classify", Classify(b"", "en"), EmotionScores({**SCORES, "sad": float("nan")}), "not_finite"),
        ("classify", Classify(b"", "en"), EmotionScores(SCORES, {"arousal": float("inf")}), "not_finite"),
        ("classify", Classify(b"", "en"), EmotionScores({"happy": 5.0}), "bad_answer"),
        ("classify", Classify(b"", "en"), EmotionScores({}), "bad_answer"),
        ("generate", TALK, Completion((1, 2), "stop"), "bad_answer"),
        ("generate", TALK, Completion(("\ud800",), "stop"), "bad_answer"),
        ("generate", TALK, Completion((), "stop"), "bad_answer"),
        ("generate", TALK, Completion(("x",), "abort"), "bad_answer"),
        ("generate", TALK, Completion(("x" * 5_000_000,), "stop"), "bad_answer"),
        ("generate", TALK, lambda: 0, "bad_answer"),
        ("synthesize", Synthesize("hi", "en", "v", 1), Clip(b"RIFF garbage", 16000, 3600.0), "bad_answer"),
        ("synthesize", Synthesize("hi", "en", "v", 1), Clip(b"fLaC", 16000, float("nan")), "not_finite"),
        ("transcribe", Transcribe(b"", "en"), Failure("", "why"), "bad_answer"),
    ],
)
def test_nonsense_is_seen_where_answers_arrive(method: str, request_: Any, answer: Any, reason: str) -> None:
    from ieat_data.engines.answers import checked

    found = checked(method, request_, answer)
    assert isinstance(found, Failure) and found.reason == reason


def test_sound_answers_pass() -> None:
    from ieat_data.engines.answers import checked
    from tests.support.doubles import clip_of

    clip = Clip(clip_of("hello", 1.0), 16000, 1.0)
    for method, request, answer in (
        ("classify", Classify(b"", "en"), EmotionScores(SCORES, {"arousal": 0.5})),
        ("generate", TALK, Completion((), "context", 9)),
        ("synthesize", Synthesize("hi", "en", "v", 1), clip),
    ):
        assert checked(method, request, answer) is answer
