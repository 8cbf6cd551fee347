"""Whisper's features: those of faster-whisper, and the same bits whatever kernels numpy and its BLAS choose."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from ieat_data.engines.asr.faster_whisper import _pin_kernels
from ieat_data.engines.asr.log_mel import LogMel, log10

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("faster_whisper"), reason="needs faster-whisper")
DIGEST = "from tests.engines.asr.test_log_mel import digest; print(digest())"


def noise() -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(40_000) * np.linspace(0, 0.3, 40_000)).astype(np.float32)


def features() -> LogMel:
    _pin_kernels()  # as CTranslate2 is loaded with it, and other tests may build the engine in this process
    from faster_whisper.feature_extractor import FeatureExtractor

    return LogMel(FeatureExtractor())


def digest() -> str:
    return hashlib.sha256(np.ascontiguousarray(features()(noise())).tobytes()).hexdigest()


def test_they_are_those_of_faster_whisper() -> None:
    ours = features()
    theirs = ours._extractor(noise())
    assert ours(noise()).shape == theirs.shape
    assert np.abs(ours(noise()) - theirs).max() < 1e-4
    assert ours.hop_length == 160


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are chosen by these variables on Linux")
@pytest.mark.parametrize(
    "kernels",
    [
        {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"},
        {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR", "OPENBLAS_CORETYPE": "Zen"},
    ],
)
def test_other_kernels_of_numpy_and_its_blas_give_the_same_bits(kernels: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGEST],
        env={**os.environ, **kernels},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest()


def test_the_logarithm_is_numpys() -> None:
    x = np.concatenate([np.logspace(-10, 6, 100_001), [1e-10, 0.5, 1.0, 2.0, 10.0]])
    assert np.abs(log10(x) - np.log10(x)).max() < 4e-15
    assert log10(np.array([1.0]))[0] == 0.0
