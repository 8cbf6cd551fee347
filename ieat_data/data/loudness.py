"""Integrated loudness, LUFS: ITU-R BS.1770-4, mono, at any rate.

pyloudnorm gives the same to ten digits (`tests/data/test_loudness.py`). It takes four times as long a clip, and its
scipy a second to import.

A filter with memory is a loop over samples. It is also linear: the weighted samples of a block, and the memory that it
leaves to the next, are one matrix times the block's samples and the memory that it found. So blocks are weighted all
together, as if each began in silence; what their memories add comes after.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ieat_data.data.audio import Samples

Numbers = NDArray[np.float64]

BLOCK_S, HOP_S = 0.4, 0.1  # what is measured at a time, and how far apart
_SILENT, _QUIET = -70.0, 10.0  # LUFS below which a block never counts; LU below the others
_AT_ONCE, _ROWS = 32, 64  # samples in a block of the filter, blocks in a product: so small that BLAS starts no threads
_MEMORY = 4  # numbers that the filter remembers
_FORGOTTEN = 1e-20  # what is left of them where they no longer change a digit


def loudness(samples: Samples, rate: int) -> float:
    """Return integrated loudness, LUFS; minus infinity for silence. Below 0.4 s: the RMS level, dBFS."""
    if len(samples) < int(BLOCK_S * rate) + 1:
        return float(20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) + 1e-9))
    power = _powers(_squares(samples, rate), rate)
    with np.errstate(divide="ignore"):
        heard = power[_lufs(power) >= _SILENT]
        if not len(heard):
            return -np.inf
        level = _lufs(heard)
        return float(_lufs(heard[level > _lufs(heard.mean()) - _QUIET].mean()))


def _lufs(power: Any) -> Any:
    return -0.691 + 10 * np.log10(power)


def _powers(squares: Numbers, rate: int) -> Numbers:
    """Return the mean square of each block of 0.4 s, one every 0.1 s."""
    n = int(np.round((len(squares) / rate - BLOCK_S) / HOP_S)) + 1
    begins = (HOP_S * rate * np.arange(n)).astype(int)
    ends = np.minimum((HOP_S * rate * np.arange(n) + BLOCK_S * rate).astype(int), len(squares))
    edges = np.unique([*begins, *ends])
    until = np.concatenate([[0.0], np.cumsum(np.add.reduceat(squares[: edges[-1]], edges[:-1]))])
    power: Numbers = (until[np.searchsorted(edges, ends)] - until[np.searchsorted(edges, begins)]) / (BLOCK_S * rate)
    return power


def _squares(samples: Samples, rate: int) -> Numbers:
    """Return the squares of K-weighted samples."""
    size = _AT_ONCE * _ROWS
    blocks = np.zeros((-(-len(samples) // size), _ROWS, _AT_ONCE))
    blocks.reshape(-1)[: len(samples)] = samples
    matrix = _of_block(rate)
    alone = blocks @ matrix[:_AT_ONCE]
    memory = np.zeros((len(blocks) * _ROWS, _MEMORY))
    memory[1:] = alone.reshape(-1, matrix.shape[1])[:-1, _AT_ONCE:]  # what the block before leaves
    step, passed = 1, matrix[_AT_ONCE:, _AT_ONCE:]
    while step < len(memory) and np.abs(passed).max() > _FORGOTTEN:  # then of 2, 4, 8, ... blocks before
        memory[step:] += memory[:-step] @ passed
        step, passed = 2 * step, passed @ passed
    # into `blocks`, which is read no more: a new array costs more than what is done with it
    weighted = np.matmul(memory.reshape(len(blocks), _ROWS, _MEMORY), matrix[_AT_ONCE:, :_AT_ONCE], out=blocks)
    weighted += alone[:, :, :_AT_ONCE]
    return np.square(weighted, out=weighted).reshape(-1)[: len(samples)]


@cache
def _of_block(rate: int) -> Numbers:
    """Return the matrix from (samples, memory) to (weighted samples, memory): what the loop makes of units."""
    units = np.eye(_AT_ONCE + _MEMORY)
    made, memory = units[:, :_AT_ONCE].copy(), units[:, _AT_ONCE:].copy()
    for k in range(_AT_ONCE):
        for i, (b, a) in enumerate((_shelf(rate), _high_pass(rate))):
            x, (first, second) = made[:, k].copy(), memory[:, 2 * i : 2 * i + 2].T.copy()
            y = b[0] * x + first
            memory[:, 2 * i] = b[1] * x - a[1] * y + second
            memory[:, 2 * i + 1] = b[2] * x - a[2] * y
            made[:, k] = y
    return np.concatenate([made, memory], axis=1)


def _shelf(rate: int) -> tuple[Numbers, Numbers]:
    """Return the filter that stands for a head: 4 dB more above 1.5 kHz."""
    gain = 10 ** (4.0 / 40)
    w = 2 * np.pi * 1500.0 / rate
    cos, alpha = np.cos(w), np.sin(w) * np.sqrt(0.5)
    side, root = gain - 1, 2 * np.sqrt(gain) * alpha
    b = gain * np.array([gain + 1 + side * cos + root, -2 * (side + (gain + 1) * cos), gain + 1 + side * cos - root])
    a = np.array([gain + 1 - side * cos + root, 2 * (side - (gain + 1) * cos), gain + 1 - side * cos - root])
    return b / a[0], a / a[0]


def _high_pass(rate: int) -> tuple[Numbers, Numbers]:
    """Return the filter that takes away what is below 38 Hz."""
    w = 2 * np.pi * 38.0 / rate
    cos, alpha = np.cos(w), np.sin(w)
    b, a = np.array([1 + cos, -2 * (1 + cos), 1 + cos]) / 2, np.array([1 + alpha, -2 * cos, 1 - alpha])
    return b / a[0], a / a[0]
