"""Batches of clips: how they are put together, and what is left when one of them fails."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from ieat_data.data.audio import encode_flac
from ieat_data.engines.batching import RATE, buckets, each, hear, run


class OutOfMemoryError(RuntimeError):
    pass


@given(st.lists(st.floats(0.025, 400)), st.floats(1, 300))
def test_every_clip_is_in_one_batch_and_no_batch_is_too_long(seconds: list[float], batch_s: float) -> None:
    batches = buckets(seconds, batch_s)
    assert sorted(i for b in batches for i in b) == list(range(len(seconds)))
    for batch in batches:
        assert len(batch) == 1 or max(seconds[i] for i in batch) * len(batch) <= batch_s


def test_short_clips_go_with_short_ones() -> None:
    assert buckets([1, 10, 1, 10, 1], 20) == [[1, 3], [0, 2, 4]]


def answered(seconds: Sequence[float], call: object, batch_s: float = 100) -> list[object]:
    return run(seconds, batch_s, call)


def test_answers_come_in_the_order_of_the_clips() -> None:
    assert answered([3, 1, 2, 5, 4], lambda batch: [f"clip {i}" for i in batch], 6) == [f"clip {i}" for i in range(5)]
    assert answered([], lambda batch: []) == []


def test_a_batch_without_room_is_halved_until_it_fits() -> None:
    asked = []

    def call(batch: list[int]) -> list[int]:
        asked.append(len(batch))
        if len(batch) > 2:
            raise OutOfMemoryError("full")
        return batch

    assert answered([1] * 7, call) == list(range(7))
    assert asked == [7, 4, 2, 2, 3, 2, 1]


def test_a_clip_that_never_fits_fails_alone() -> None:
    def call(batch: list[int]) -> list[int]:
        if 2 in batch:
            raise OutOfMemoryError("full")
        return batch

    got = answered([1, 1, 9, 1], call)
    assert got[:2] + got[3:] == [0, 1, 3]
    assert isinstance(got[2], OutOfMemoryError), "whose fault it is, is found out by asking again"


def test_a_clip_that_cannot_be_done_fails_alone() -> None:
    def call(batch: list[int]) -> list[int]:
        if 1 in batch:
            raise IndexError("no frame")
        return batch

    first, failed, last = answered([1, 1, 1], call)
    assert (first, repr(failed), last) == (0, "IndexError('no frame')", 2)


def test_answers_that_cannot_be_told_apart_are_asked_for_one_by_one() -> None:
    assert answered([1, 1], lambda batch: batch if len(batch) == 1 else ["whose?"]) == [0, 1]
    (lost,) = answered([1], lambda batch: [])
    assert isinstance(lost, RuntimeError) and str(lost) == "0 answers for 1 clips"


BROKEN = ("CUDA error: an illegal memory access was encountered", "device-side assert triggered", "cudaErrorAssert")


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_device_is_no_fault_of_a_clip_and_is_told_at_once(message: str) -> None:
    asked = []

    def call(batch: list[int]) -> list[int]:
        asked.append(batch)
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match=message):
        answered([1, 1], call)
    with pytest.raises(RuntimeError, match=message):
        each(lambda request: call([request]), [7, 8])
    assert asked == [[0, 1], [7]]


def test_what_one_request_raises_stands_in_its_answers_place() -> None:
    got = each(lambda n: 6 // n, [1, 0, 3])
    assert (got[0], repr(got[1]), got[2]) == (6, "ZeroDivisionError('integer division or modulo by zero')", 2)
    assert isinstance(got[1], Exception) and got[1].__traceback__ is None, "its frames would hold the batch's memory"


def test_clips_become_mono_float32_of_16_khz() -> None:
    tone = np.round(8000 * np.sin(np.arange(RATE) / 20)) / 32768
    out = io.BytesIO()
    sf.write(out, np.stack([tone, tone], 1), RATE, format="WAV", subtype="DOUBLE")
    heard = hear(out.getvalue(), 2)
    assert isinstance(heard, np.ndarray) and heard.dtype == np.float32 and heard.shape == (RATE,)
    np.testing.assert_array_equal(heard, tone.astype(np.float32))
    faster = hear(encode_flac(tone.astype(np.float32), 48_000), 2)
    assert isinstance(faster, np.ndarray) and faster.shape == (RATE // 3,)


def test_clips_that_cannot_be_used_have_a_reason() -> None:
    silence = np.zeros(3 * RATE, np.float32)
    clips = [b"RIFF", encode_flac(silence[:399], RATE), encode_flac(silence, RATE), encode_flac(silence[:400], RATE)]
    assert [getattr(hear(c, 2), "reason", None) for c in clips] == ["undecodable_audio", "too_short", "too_long", None]
