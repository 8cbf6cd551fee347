"""Whisper's features, the same bits on every CPU.

faster-whisper computes them in float32 with numpy's FFT, OpenBLAS and numpy's logarithm, which choose kernels by CPU:
five sets of these gave five sets of bits. Here they are computed in float64, and after the FFT by sums, products
and quotients alone, which IEEE 754 rounds in one way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LOG10_2, _LOG10_E = 0.3010299956639812, 0.4342944819032518


class LogMel:
    """Stand in for a faster-whisper `FeatureExtractor`, whose numbers (`mel_filters`, …) it takes over."""

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor
        window = np.hanning(extractor.n_fft + 1)[:-1]
        self._window = window.astype(np.float32).astype(np.float64)
        self._bands = []  # of each band the first frequency, the one after the last, the weights
        for row in extractor.mel_filters.astype(np.float64):
            used = np.flatnonzero(row)
            start, end = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
            self._bands.append((start, end, row[start:end, None]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extractor, name)

    def __call__(
        self, waveform: NDArray[np.float32], padding: int = 160, chunk_length: None = None
    ) -> NDArray[np.float32]:
        """Return the log-mel spectrogram, shape (bands, frames)."""
        if chunk_length is not None:
            raise ValueError("chunk_length is the extractor's own")
        n_fft = self._extractor.n_fft
        samples = np.pad(waveform.astype(np.float64), (0, padding))
        samples = np.pad(samples, n_fft // 2, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[:: self._extractor.hop_length]
        spectrum = np.fft.rfft(windows[:-1] * self._window, axis=-1).T
        power = np.ascontiguousarray(spectrum.real * spectrum.real + spectrum.imag * spectrum.imag)
        mel = np.stack([_sum(weights * power[start:end]) for start, end, weights in self._bands])
        log = log10(np.maximum(mel, 1e-10))
        log = np.maximum(log, log.max() - 8.0)
        features: NDArray[np.float32] = ((log + 4.0) / 4.0).astype(np.float32)
        return features


def _sum(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = rows[0]
    for row in rows[1:]:
        total = total + row
    return total


def log10(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of positive numbers, by basic arithmetic alone; to 1e-15 of numpy's, relative to its size or to 1."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    exponent = (exponent - small).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)  # ln m = 2 (s + s³/3 + s⁵/5 + …), and |s| < 0.172
    square, series = s * s, np.zeros_like(s)
    for k in range(23, 0, -2):
        series = series * square + 1.0 / k
    return 2.0 * s * series * _LOG10_E + exponent * _LOG10_2
