from __future__ import annotations

import numpy as np
import pytest

from ieat_data.data.audio import Samples
from ieat_data.data.loudness import loudness

RATE = 16_000


def swelling(seconds: float, rate: int = RATE, level: float = 0.3) -> Samples:
    t = np.arange(round(rate * seconds)) / rate
    tones = np.sin(2 * np.pi * 150 * t) + 0.5 * np.sin(2 * np.pi * 2500 * t)
    return (level * np.sin(2 * np.pi * t) ** 2 * tones).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "rate", "lufs"),  # as pyloudnorm 0.2.0 has them
    [
        (swelling(2.0), RATE, -16.665088047997774),
        (swelling(0.55, 24_000), 24_000, -16.248223391844494),
        (swelling(1.37, 44_100), 44_100, -16.735819287583958),
        (swelling(1.3, 11_025), 11_025, -16.746298859358788),
        (np.concatenate([swelling(1.5), swelling(2, level=0.0003)]), RATE, -16.869324928606122),  # a gate closes
    ],
)
def test_it_is_that_of_pyloudnorm(samples: Samples, rate: int, lufs: float) -> None:
    assert loudness(samples, rate) == pytest.approx(lufs, abs=1e-8)


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_a_sine_of_997_hz_at_full_scale_has_the_loudness_that_the_standard_gives_it(rate: int) -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(2 * rate) / rate).astype(np.float32)
    assert loudness(sine, rate) == pytest.approx(-3.01, abs=0.1)


def test_silence_has_none_and_a_short_clip_has_its_level() -> None:
    assert loudness(np.zeros(RATE, np.float32), RATE) == -np.inf
    assert loudness(np.full(RATE // 4, 0.1, np.float32), RATE) == pytest.approx(-20, abs=1e-6)
    assert np.isfinite(loudness(swelling(0.4)[:-1], RATE))
    assert np.isfinite(loudness(np.append(swelling(0.4), np.float32(0)), RATE))
