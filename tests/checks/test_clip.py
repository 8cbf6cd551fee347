from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest

from ieat_data.checks.clip import REASONS, ClipLimits, fault, measure
from ieat_data.config import load_source
from ieat_data.corpora import reader_class
from ieat_data.corpora.io.base import SpeechRecord
from ieat_data.data.audio import decode

RATE = 16_000


def tone(seconds: float, level: float = 0.1) -> np.ndarray:
    """A tone whose loudness goes up and down as that of syllables."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 220 * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))).astype(np.float32)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def reason(samples: np.ndarray, **limits: float | None) -> str | None:
    return fault(measure(samples, RATE), ClipLimits(**limits))


def test_each_fault_is_named() -> None:
    hard = np.clip(tone(3, 2.0), -1, 1).astype(np.float32)
    noise = np.random.default_rng(0).uniform(-0.99, 0.99, 3 * RATE).astype(np.float32)
    found = {
        reason(tone(3, 0.001)): "too_quiet",
        reason(hard): "clipped_audio",
        reason(noise): "too_loud",
        reason(np.concatenate([quiet(2.2), tone(3)])): "leading_silence",
        reason(np.concatenate([tone(3), quiet(2.7)])): "trailing_silence",
        reason(np.concatenate([tone(0.5), quiet(3), tone(0.5)])): "mostly_silence",
        reason(tone(3)): None,
    }
    assert all(k == v for k, v in found.items())
    assert {v for v in found.values() if v} == set(REASONS)


@pytest.mark.parametrize("limit", ["max_leading_s", "max_silence", "min_lufs"])
def test_a_limit_may_be_none(limit: str) -> None:
    samples = {
        "max_leading_s": np.concatenate([quiet(2.2), tone(3)]),
        "max_silence": np.concatenate([tone(0.5), quiet(3), tone(0.5)]),
        "min_lufs": tone(3, 0.001),
    }[limit]
    assert reason(samples) is not None
    assert reason(samples, **{limit: None}) is None


def test_what_is_measured_is_what_was_put_in() -> None:
    signal = measure(np.concatenate([quiet(0.5), tone(2), quiet(1.0), tone(1), quiet(0.8)]), RATE)
    assert signal.leading_s == pytest.approx(0.5, abs=0.03)
    assert signal.trailing_s == pytest.approx(0.8, abs=0.03)
    assert signal.silence == pytest.approx(2.3 / 5.3, abs=0.02)
    assert signal.clipped == 0
    louder = measure(2 * tone(3), RATE).lufs - measure(tone(3), RATE).lufs
    assert louder == pytest.approx(20 * math.log10(2), abs=0.05)


def test_noise_of_a_room_is_silence_beside_speech() -> None:
    room = np.random.default_rng(1).normal(0, 2e-4, RATE).astype(np.float32)
    assert measure(np.concatenate([room, tone(2)]), RATE).leading_s == pytest.approx(1.0, abs=0.03)


def test_single_samples_at_full_scale_are_peaks() -> None:
    samples = tone(2)
    samples[::40] = 1.0
    assert measure(samples, RATE).clipped == 0
    samples[1::40] = samples[2::40] = 1.0
    assert measure(samples, RATE).clipped == pytest.approx(3 / 40, abs=0.001)


@pytest.mark.parametrize("samples", [quiet(3), quiet(0.0001), np.ones(1, np.float32)])
def test_odd_clips_are_measured_too(samples: np.ndarray) -> None:
    signal = measure(samples, RATE)
    assert all(math.isfinite(x) for x in asdict(signal).values())


@pytest.mark.parametrize("name", ["sample-emilia-en", "sample-emilia-zh"])
def test_the_shipped_speech_passes(name: str) -> None:
    """People who read aloud, and voices of a TTS."""
    source = load_source(name)
    reader = reader_class(source.reader)(source.path(), source.language)
    found = []
    for unit in reader.plan(1000):
        for record in reader.read(unit):
            if isinstance(record, SpeechRecord) and "broken on purpose" not in str(record.extra.get("origin")):
                found.append(fault(measure(*decode(record.audio)), ClipLimits()))
    assert len(found) > 8 and set(found) == {None}
