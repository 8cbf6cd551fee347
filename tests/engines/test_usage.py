"""What is counted of calls to engines."""

from __future__ import annotations

from ieat_data.engines.base import Clip, Completion, Failure, Generate, Sampling, Synthesize, Transcribe, Transcript
from ieat_data.engines.usage import BusyClock, Usage
from tests.support.doubles import clip_of


def test_tokens_and_seconds_of_audio_are_counted() -> None:
    usage = Usage()
    usage.add([Generate((), Sampling(), 1)], [Completion(("a",), "stop", 7, (1, 2, 3))], 2.0)
    assert usage == Usage(1, 2.0, 0.0, 7, 3)
    usage.add([Synthesize("a", "en", "v", 1)] * 2, [Clip(b"", 16_000, 1.5), Failure("too_long", "")], 0.5)
    assert (usage.requests, usage.audio_s) == (3, 1.5)
    heard = [Transcribe(clip_of("hello", 2.0), "en"), Transcribe(b"no clip", "en")]
    usage.add(heard, [Transcript("hello"), Failure("undecodable_audio", "")], 0.25)
    assert usage.rounded() == {"requests": 5, "busy_s": 2.75, "audio_s": 3.5, "tokens_in": 7, "tokens_out": 3}


def test_seconds_in_which_calls_overlap_are_shared() -> None:
    now = [0.0]
    clock = BusyClock(lambda: now[0])
    with clock.call() as first:
        now[0] = 4.0
        with clock.call() as second:
            now[0] = 10.0  # 6 s for two
        now[0] = 11.0
    now[0] = 50.0  # idle
    with clock.call() as third:
        now[0] = 52.0
    assert (first(), second(), third()) == (4 + 3 + 1, 3, 2)
    assert first() + second() + third() == 11 + 2, "the time in which the engine was not idle"
