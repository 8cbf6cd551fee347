"""The fundamental frequency of speech, by YIN, in numpy alone.

Why not a library: librosa needs numba, parselmouth is GPL, pyworld and pysptk are compiled for few platforms; only a
median and a spread over a clip are wanted here, for which YIN is accurate.

Source: A. de Cheveigné and H. Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111 (2002).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ieat_data.data.audio import Samples

RATE = 16_000
HOP = 160  # 10 ms
LOWEST_HZ, HIGHEST_HZ = 60.0, 600.0
_WINDOW = 400  # 25 ms, compared with itself at each lag
_LAGS = int(RATE / LOWEST_HZ) + 2
_FFT = 1024  # holds window + lags
_DIP = 0.15  # an aperiodicity below this ends the search: the first such dip is the period, not its multiple
_BLOCK = 1000  # frames at once: bounds the memory


def frames(samples: Samples, length: int, hop: int = HOP) -> Samples:
    """Return overlapping frames, shape (n, length), the i-th centred at i * hop; the ends are padded with zeros."""
    padded = np.pad(samples, (length // 2, length))
    n = 1 + (len(samples) - 1) // hop
    return np.lib.stride_tricks.sliding_window_view(padded, length)[: n * hop : hop]


def track(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pitch in Hz and aperiodicity (0: periodic, about 1: noise) every 10 ms of 16 kHz `samples`.

    Both have the shape (n,). The aperiodicity of silence is 1; without periodicity the pitch has no meaning.
    """
    pieces = frames(samples, _WINDOW + _LAGS)
    hz, aperiodicity = np.empty(len(pieces)), np.empty(len(pieces))
    for start in range(0, len(pieces), _BLOCK):
        block = slice(start, start + _BLOCK)
        hz[block], aperiodicity[block] = _yin(pieces[block].astype(np.float64))
    return hz, aperiodicity


def _yin(pieces: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n = len(pieces)
    window = pieces[:, :_WINDOW]
    spectrum = np.conj(np.fft.rfft(window, _FFT)) * np.fft.rfft(pieces, _FFT)
    correlation = np.fft.irfft(spectrum, _FFT)[:, :_LAGS]
    power = np.cumsum(np.pad(pieces**2, ((0, 0), (1, 0))), axis=1)
    energy = power[:, _WINDOW : _WINDOW + _LAGS] - power[:, :_LAGS]
    difference = np.maximum(energy[:, :1] + energy - 2 * correlation, 0.0)
    # divided by its running mean, so that lag 0 does not win and one threshold fits every frame
    mean = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, _LAGS)
    normal = np.ones((n, _LAGS))
    np.divide(difference[:, 1:], mean, out=normal[:, 1:], where=mean > 1e-12)

    first, last = int(RATE / HIGHEST_HZ), _LAGS - 1
    middle = normal[:, first:last]
    dip = (middle <= normal[:, first - 1 : last - 1]) & (middle < normal[:, first + 1 : last + 1])
    good = dip & (middle < _DIP)
    lag = first + np.where(good.any(axis=1), good.argmax(axis=1), np.where(dip, middle, np.inf).argmin(axis=1))

    rows = np.arange(n)
    before, here, after = (normal[rows, lag + k] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.zeros(n)
    np.divide(before - after, 2 * bend, out=shift, where=bend > 1e-12)  # minimum of the parabola through three points
    return RATE / (lag + np.clip(shift, -0.5, 0.5)), here
