"""Clips for the scripts here: pieces of one synthetic voice, all different, as a build's tasks hand them over."""

from __future__ import annotations

import argparse

import numpy as np

from ieat_data.data.audio import Samples, encode_flac
from tests.engines.ser.signals import RATE, voice


def corpus(options: argparse.Namespace, count: int) -> list[Samples]:
    """`count` clips (or `--clips`) of 1.5 to 12 s; eight short ones where it is to be `--small`."""
    if options.small:
        return make(options.clips or 8, 0.5, 3.0)
    return make(options.clips or count, 1.5, 12.0)


def make(count: int, least_s: float, most_s: float, seed: int = 0) -> list[Samples]:
    """`count` clips of `least_s` to `most_s` seconds (evenly spread, in random order), float32, mono, 16 kHz, on the
    grid of 16 bits."""
    rng = np.random.default_rng(seed)
    source = voice(150, syllables=int(4 * (most_s + 20)), range_st=9, pause_s=0.5, seed=seed)
    lengths = rng.permutation(np.linspace(least_s, most_s, count)) * RATE
    clips = []
    for length in lengths.astype(int):
        start = rng.integers(0, source.size - length)
        piece = source[start : start + length] * rng.uniform(0.3, 1.0) + 1e-3 * rng.standard_normal(length)
        clips.append((np.round(piece * 32768) / 32768).astype(np.float32))
    return clips


def flac(clips: list[Samples]) -> list[bytes]:
    return [encode_flac(c, RATE) for c in clips]


def seconds(clips: list[Samples]) -> float:
    return float(sum(c.size for c in clips) / RATE)
