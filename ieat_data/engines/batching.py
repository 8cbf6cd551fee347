"""Run clips of all durations through a model in batches: similar durations together, and none fails with another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ieat_data import faults
from ieat_data.data import audio
from ieat_data.engines.base import Failure

_log = logging.getLogger(__name__)

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


def run(seconds: Sequence[float], batch_s: float, call: Callable[[list[int]], Sequence[Any]]) -> list[Any]:
    """Return the answers of `call` (clip indices to as many answers) for all clips, in order.

    A batch that lacks memory is halved; one that fails otherwise is run again clip by clip. What a clip raises alone
    stands in its answer's place: whose fault that is, is found out in `asking.py`.

    Raises:
        Exception: the device is broken, so that this process can answer nothing more.
    """
    answers: dict[int, Any] = {}
    waiting = buckets(seconds, batch_s)[::-1]
    while waiting:
        batch = waiting.pop()
        got = _tried(call, batch)
        if not isinstance(got, Exception):
            answers.update(zip(batch, got, strict=True))
        elif len(batch) == 1:
            answers[batch[0]] = got
        else:
            size = -(-len(batch) // 2) if faults.is_memory(got) else 1
            waiting += [batch[i : i + size] for i in range(0, len(batch), size)][::-1]
    return [answers[i] for i in range(len(seconds))]


def each(answer: Callable[[Any], Any], requests: Sequence[Any]) -> list[Any]:
    """Return the answers to `requests`, asked one after the other; what one raises stands in its answer's place.

    Raises:
        Exception: the device is broken, so that this process can answer nothing more.
    """
    answers = []
    for request in requests:
        try:
            answers.append(answer(request))
        except Exception as e:
            answers.append(_kept(e))
    return answers


def _tried(call: Callable[[list[int]], Sequence[Any]], batch: list[int]) -> Sequence[Any] | Exception:
    try:
        got = call(batch)
    except Exception as e:  # the models raise arbitrary exceptions
        return _kept(e)
    return got if len(got) == len(batch) else RuntimeError(f"{len(got)} answers for {len(batch)} clips")


def _kept(error: Exception) -> Exception:
    """Return the exception without its frames, which hold a batch's memory; raise it if the device is broken."""
    if faults.breaks_process(error):
        raise error
    _log.warning("a request or a batch of them failed", exc_info=error)
    return error.with_traceback(None)


def one_line(e: Exception) -> str:
    """Shorten an exception's message to one line: those of torch and FunASR are long."""
    words = " ".join(str(e).split())
    return words if len(words) <= 200 else f"{words[:200]}…"
