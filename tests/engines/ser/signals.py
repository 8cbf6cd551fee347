"""Speech-like signals whose pitch, loudness, syllables and pauses are known."""

from __future__ import annotations

import numpy as np

from ieat_data.data.audio import Samples

RATE = 16_000


def voice(
    hz: float = 120.0,
    syllables: int = 12,
    rate: float = 4.0,
    range_st: float = 6.0,
    gain_db: float = 0.0,
    effort_db: float = 0.0,
    pause_s: float = 0.0,
    noise_db: float = -60.0,
    seed: int = 0,
) -> Samples:
    """Glottal-like pulses through three formants, shape (n,), 16 kHz.

    Each syllable is a hump of loudness with its own pitch; those are spread evenly over `range_st` semitones around
    `hz` (the median). After half of the syllables comes a pause. `effort_db` tilts the spectrum up above 1 kHz;
    `noise_db` is a floor below the voice, before `gain_db` is laid over everything.
    """
    rng = np.random.default_rng(seed)
    length = int(RATE / rate)
    steps = rng.permutation(np.linspace(-range_st / 2, range_st / 2, syllables))
    pitch = np.repeat(hz * 2 ** (steps / 12), length)
    phase = np.cumsum(pitch / RATE)
    source = np.zeros(pitch.size)
    formants = [(500, 90), (1500, 120), (2500, 170)]
    for k in range(1, 40):
        f = k * pitch
        resonance = sum(1 / (1 + ((f - c) / b) ** 2) for c, b in formants)
        lift = np.where(f > 1000, 10 ** (effort_db / 20), 1.0)
        source += np.where(f < 7000, (0.05 + resonance) / k * lift, 0) * np.sin(2 * np.pi * k * phase)
    hump = np.tile(0.05 + 0.95 * np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2, syllables)
    spoken = source * hump
    half = (syllables // 2) * length
    spoken = np.concatenate([spoken[:half], np.zeros(int(pause_s * RATE)), spoken[half:]])
    spoken *= 0.1 / np.sqrt(np.mean((source * hump) ** 2))
    spoken += 0.1 * 10 ** (noise_db / 20) * rng.standard_normal(spoken.size)
    return (spoken * 10 ** (gain_db / 20)).astype(np.float32)
