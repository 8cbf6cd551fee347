"""Run clips of all durations through a model in batches: similar durations together, and no clip fails with another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ieat_data.data import audio
from ieat_data.engines.base import Failure

RATE = 16_000
MIN_SAMPLES = 400  # one frame of 25 ms: the models fail on less


def hear(data: bytes, max_s: float) -> audio.Samples | Failure:
    """Decode a clip as speech models expect it: float32, shape (n,), mono, 16 kHz; else say why it cannot be used.

    Failures: `undecodable_audio`, `empty_audio`, `not_finite_audio`, `too_short` (under 25 ms), `too_long` (over
    `max_s` seconds).
    """
    try:
        samples, _ = audio.decode(data, RATE, max_s + 0.1)
    except audio.AudioError as e:
        return Failure(e.reason, str(e))
    if samples.size < MIN_SAMPLES:
        return Failure("too_short", f"{samples.size} samples at 16 kHz, the minimum is {MIN_SAMPLES}")
    if samples.size > max_s * RATE:
        return Failure("too_long", f"over {max_s:g} s")
    return samples


def buckets(seconds: Sequence[float], batch_s: float) -> list[list[int]]:
    """Return groups of indices of clips to batch together, longest first.

    A batch is padded to its longest clip; with padding it holds at most `batch_s` seconds, or a single clip.
    """
    batches: list[list[int]] = []
    for i in sorted(range(len(seconds)), key=lambda i: -seconds[i]):
        if batches and seconds[batches[-1][0]] * (len(batches[-1]) + 1) <= batch_s:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def run(
    seconds: Sequence[float],
    batch_s: float,
    call: Callable[[list[int]], Sequence[Any]],
    out_of_memory: type[Exception],
    fatal: type[Exception],
) -> list[Any]:
    """Return the answers of `call` (clip indices to as many answers) for all clips, in order.

    A batch that raises `out_of_memory` is halved; one that fails otherwise is run again clip by clip. A clip that fails
    alone gives a Failure, `out_of_memory` or `engine_error`. Exceptions of the type `fatal` are passed on: the engine
    can answer nothing more.
    """
    answers: dict[int, Any] = {}
    waiting = buckets(seconds, batch_s)[::-1]
    while waiting:
        batch = waiting.pop()
        try:
            got = call(batch)
            if len(got) != len(batch):
                raise ValueError(f"{len(got)} answers for {len(batch)} clips")
        except fatal:
            raise
        except out_of_memory as e:
            failure, size = (
                Failure("out_of_memory", f"a clip of {seconds[batch[0]]:.1f} s: {one_line(e)}"),
                -(-len(batch) // 2),
            )
        except Exception as e:  # the models raise arbitrary exceptions
            failure, size = Failure("engine_error", f"{type(e).__name__}: {one_line(e)}"), 1
        else:
            answers.update(zip(batch, got, strict=True))
            continue
        # retry outside of `except`, where the exception, and with it the batch's memory, is released
        if len(batch) == 1:
            answers[batch[0]] = failure
        else:
            waiting += [batch[i : i + size] for i in range(0, len(batch), size)][::-1]
    return [answers[i] for i in range(len(seconds))]


def one_line(e: Exception) -> str:
    """Shorten an exception's message to one line: those of torch and FunASR are long."""
    words = " ".join(str(e).split())
    return words if len(words) <= 200 else f"{words[:200]}…"
