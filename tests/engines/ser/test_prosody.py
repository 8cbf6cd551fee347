import time

import numpy as np
import pytest

from ieat_data.data.audio import AudioError
from ieat_data.engines.ser import pitch
from ieat_data.engines.ser.prosody import Prosody, measure
from tests.engines.ser.signals import RATE, voice


@pytest.mark.parametrize("hz", [75, 110, 180, 240, 330, 450])
def test_pitch_is_known_within_two_percent(hz: float) -> None:
    assert measure(voice(hz, range_st=2)).pitch_median_hz == pytest.approx(hz, rel=0.02)


@pytest.mark.parametrize("hz", [82.4, 155.0, 311.1])
def test_a_steady_tone_is_tracked_without_octave_errors(hz: float) -> None:
    t = np.arange(RATE) / RATE
    tone = sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 8)).astype(np.float32)
    got, aperiodicity = pitch.track(tone)
    assert got.shape == aperiodicity.shape == (100,)
    assert np.abs(got[5:-5] / hz - 1).max() < 0.005
    assert aperiodicity[5:-5].max() < 0.02


def test_noise_has_no_pitch() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    got = measure(noise)
    assert (got.pitch_median_hz, got.tilt_db, got.rate) == (None, None, 0)


@pytest.mark.parametrize("semitones", [3.0, 6.0, 10.0])
def test_pitch_range(semitones: float) -> None:
    steps = np.linspace(-semitones / 2, semitones / 2, 12)
    assert measure(voice(150, range_st=semitones)).pitch_range_st == pytest.approx(
        np.percentile(steps, 90) - np.percentile(steps, 10), abs=0.9
    )


@pytest.mark.parametrize("rate", [3.0, 4.5, 6.0])
def test_rate_counts_syllables_outside_the_pauses(rate: float) -> None:
    syllables = round(4 * rate)
    assert measure(voice(syllables=syllables, rate=rate)).rate == pytest.approx(rate, rel=0.08)
    assert measure(voice(syllables=syllables, rate=rate, pause_s=1.0)).rate == pytest.approx(rate, rel=0.12)


@pytest.mark.parametrize("pause_s", [0.0, 0.4, 1.2])
def test_pause_share(pause_s: float) -> None:
    assert measure(voice(pause_s=pause_s)).pause_share == pytest.approx(pause_s / (3 + pause_s), abs=0.04)


def test_silence_around_the_speech_is_no_pause() -> None:
    around = np.concatenate([np.zeros(RATE), voice(), np.zeros(RATE)]).astype(np.float32)
    assert measure(around).pause_share < 0.03


def test_pitch_and_pauses_survive_noise() -> None:
    got = measure(voice(140, range_st=4, pause_s=1.0, noise_db=-20))
    assert got.pitch_median_hz == pytest.approx(140, rel=0.03)
    assert got.pause_share == pytest.approx(0.25, abs=0.06)


def test_level_of_a_full_scale_sine() -> None:
    sine = np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE).astype(np.float32)
    assert measure(sine).level_db == pytest.approx(-3.01, abs=0.3)


@pytest.mark.parametrize("gain_db", [-30.0, -12.0, 12.0])
def test_gain_moves_the_level_and_nothing_else(gain_db: float) -> None:
    plain, scaled = measure(voice(pause_s=0.5)), measure(voice(pause_s=0.5, gain_db=gain_db))
    assert scaled.level_db - plain.level_db == pytest.approx(gain_db, abs=0.01)
    for name in Prosody.__dataclass_fields__:
        if name != "level_db":
            assert getattr(scaled, name) == pytest.approx(getattr(plain, name), rel=1e-3), name


def test_effort_raises_the_tilt() -> None:
    assert measure(voice(effort_db=9)).tilt_db - measure(voice()).tilt_db == pytest.approx(9, abs=1)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [(np.zeros(RATE), "no_speech"), (voice()[:160], "too_short"), (1e-7 * voice(), "no_speech")],
)
def test_clips_that_cannot_be_heard(samples: np.ndarray, reason: str) -> None:
    with pytest.raises(AudioError) as e:
        measure(samples.astype(np.float32))
    assert e.value.reason == reason


def test_five_seconds_take_well_under_a_tenth() -> None:
    samples = voice(syllables=20)
    measure(samples)
    spent = []
    for _ in range(3):
        start = time.thread_time()
        measure(samples)
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.1
