"""How something was said, measured on one clip: pitch, loudness, effort, pace and pauses.

Except for `level_db`, no measure changes if the whole clip gets louder or softer. Jitter is left out: it needs single
periods, which a tracker with 10 ms steps does not see, and the literature disagrees on its sign for arousal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ieat_data.data.audio import AudioError, Samples
from ieat_data.engines.ser import pitch

SHORTEST_S = 0.3
_SPECTRUM = 512  # 32 ms
_SILENCE_DB = -90.0  # dBFS: below the noise of 16 bit
_PERIODIC = 0.3  # aperiodicity of a voiced frame, at most
_PAUSE = 15  # frames: 150 ms, longer than the closure of a stop
_MIN_VOICED = 10  # frames that a pitch is taken from, at least
_DIP_DB = 2.0  # between two syllable nuclei, at least


@dataclass(frozen=True)
class Prosody:
    """Measures of one clip. None: too little voice to tell (whisper, a cough)."""

    duration_s: float
    voiced_s: float
    level_db: float  # mean power of the loud frames, dB over full scale (below 0)
    tilt_db: float | None  # power at 1-5 kHz over 50-1000 Hz in the voiced frames: rises with vocal effort
    pitch_median_hz: float | None
    pitch_range_st: float | None  # semitones from the 10th to the 90th percentile
    rate: float  # syllable nuclei per second of speech, without pauses
    pause_share: float  # of the time from the first to the last sound


def measure(samples: Samples) -> Prosody:
    """Measure 16 kHz mono `samples`, shape (n,).

    Raises:
        AudioError: `too_short` or `no_speech`.
    """
    duration = len(samples) / pitch.RATE
    if duration < SHORTEST_S:
        raise AudioError("too_short", f"{duration:.2f} s of audio: the emotion engine needs at least {SHORTEST_S} s")
    power = np.abs(np.fft.rfft(pitch.frames(samples, _SPECTRUM) * np.hanning(_SPECTRUM), axis=1)) ** 2
    hz_of = np.fft.rfftfreq(_SPECTRUM, 1 / pitch.RATE)
    # divide out the window's own power, so that a full-scale sine is at -3 dB; below 50 Hz there is no speech
    level = _db(2 * power[:, hz_of >= 50].sum(axis=1) / (_SPECTRUM * np.sum(np.hanning(_SPECTRUM) ** 2)))
    active = _active(level)
    if not active.any():
        raise AudioError("no_speech", "the clip is silent")

    hz, aperiodicity = pitch.track(samples)
    voiced = active & (aperiodicity < _PERIODIC)
    ends = np.flatnonzero(active)
    spoken = slice(int(ends[0]), int(ends[-1]) + 1)
    paused = _long_runs(~active[spoken], _PAUSE)
    speech_s = (paused.size - paused.sum()) * pitch.HOP / pitch.RATE
    middle = (hz_of >= 300) & (hz_of <= 3000)  # vowels rather than hum and hiss
    nuclei = _nuclei(_db(power[:, middle].sum(axis=1)), voiced)
    median, spread = _pitch(hz[voiced])
    low, high = ((hz_of >= a) & (hz_of < b) for a, b in ((50, 1000), (1000, 5000)))
    tilt = None
    if voiced.sum() >= _MIN_VOICED:
        tilt = float(_db(power[voiced][:, high].sum()) - _db(power[voiced][:, low].sum()))
    return Prosody(
        duration_s=duration,
        voiced_s=float(voiced.sum() * pitch.HOP / pitch.RATE),
        level_db=_loudness(level[active]),
        tilt_db=tilt,
        pitch_median_hz=median,
        pitch_range_st=spread,
        rate=float(nuclei / speech_s),
        pause_share=float(paused.mean()),
    )


def _db(power: NDArray[np.float64] | np.floating) -> NDArray[np.float64]:
    return 10 * np.log10(np.maximum(power, 1e-12))


def _active(level: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the frames with sound: within 30 dB of the loud ones, less far down if the noise floor is high."""
    loud, floor = np.percentile(level, 95), np.percentile(level, 5)
    return (level > loud - np.clip(0.6 * (loud - floor), 6, 30)) & (level > _SILENCE_DB)


def _loudness(level: NDArray[np.float64]) -> float:
    """Return the loudness of the frames within 15 dB of the loud ones: dips and noise in pauses do not change it."""
    loud = level[level > np.percentile(level, 95) - 15]
    return float(_db(np.mean(10 ** (loud / 10))))


def _long_runs(flags: NDArray[np.bool_], at_least: int) -> NDArray[np.bool_]:
    """Keep only those runs of True that are long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    kept = np.zeros(flags.shape, dtype=bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        kept[start:end] = end - start >= at_least
    return kept


def _pitch(hz: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Return median (Hz) and 10-90 % range (semitones), without the frames that are an octave off."""
    if len(hz) < _MIN_VOICED:
        return None, None
    semitones = 12 * np.log2(hz)
    semitones = semitones[np.abs(semitones - np.median(semitones)) < 11]
    low, middle, high = np.percentile(semitones, (10, 50, 90))
    return float(2 ** (middle / 12)), float(high - low)


def _nuclei(envelope: NDArray[np.float64], voiced: NDArray[np.bool_]) -> int:
    """Count the voiced peaks of loudness with a dip on both sides: about one per syllable.

    After N. H. de Jong and T. Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically",
    Behavior Research Methods 41 (2009).
    """
    kernel = np.hanning(9)[1:-1]
    smooth = np.convolve(np.pad(envelope, 3, mode="edge"), kernel / kernel.sum(), mode="valid")
    count, rising, top, bottom, peak = 0, True, smooth[0], smooth[0], 0
    for i, value in enumerate(np.append(smooth, -np.inf)):
        if rising:
            if value > top:
                top, peak = value, i
            elif top - value > _DIP_DB:
                count += bool(voiced[max(0, peak - 2) : peak + 3].any())
                rising, bottom = False, value
        elif value < bottom:
            bottom = value
        elif value - bottom > _DIP_DB:
            rising, top, peak = True, value, i
    return count
