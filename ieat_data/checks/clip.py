"""Does a clip sound as recorded speech should, whatever it says? Each check is a function; its name is its reason code.

The measurements are made once (`measure`) and kept in the tables, so that limits can be chosen by looking at them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from ieat_data.checks.base import Check, failing, first_line
from ieat_data.data.audio import Samples
from ieat_data.data.loudness import loudness
from ieat_data.data.rows import Signal
from ieat_data.strict import Strict

_FRAME_S = 0.02
_SILENT_DB = -40.0  # of a frame, relative to the loud ones of its clip (their 95th percentile)
_FULL = 0.999  # of full scale
_RUN = 3  # consecutive samples at full scale: a single one is a peak
_NOTHING_LUFS = -120.0  # instead of minus infinity


class ClipLimits(Strict):
    """The limits. The defaults accept clean speech, read and spontaneous; none: not checked."""

    max_clipped: float | None = Field(0.005, ge=0, le=1, description="share of samples at full scale, in runs")
    max_silence: float | None = Field(0.7, ge=0, le=1, description="share of the clip that is silent")
    max_leading_s: float | None = Field(2.0, ge=0, description="silence before the first sound, seconds")
    max_trailing_s: float | None = Field(2.5, ge=0, description="silence after the last sound, seconds")
    min_lufs: float | None = Field(-50.0, description="integrated loudness, LUFS (ITU-R BS.1770)")
    max_lufs: float | None = Field(-6.0, description="integrated loudness, LUFS")


def measure(samples: Samples, rate: int) -> Signal:
    """Measure mono samples in [-1, 1], at least one."""
    full = np.abs(samples) >= _FULL
    # the ends of runs at full scale, and their lengths
    edges = np.flatnonzero(np.diff(np.concatenate([[False], full, [False]]).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    frame = max(1, min(round(_FRAME_S * rate), len(samples)))
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    level = 10 * np.log10((frames.astype(np.float64) ** 2).mean(axis=1) + 1e-12)
    sounding = np.flatnonzero(level > max(float(np.percentile(level, 95)) + _SILENT_DB, -100.0))
    first, last = (int(sounding[0]), int(sounding[-1]) + 1) if len(sounding) else (len(level), len(level))
    seconds = frame / rate
    lufs = loudness(samples, rate)
    return Signal(
        clipped=round(float(runs[runs >= _RUN].sum()) / len(samples), 6),
        silence=round(1 - len(sounding) / len(level), 4),
        leading_s=round(first * seconds, 3),
        trailing_s=round((len(level) - last) * seconds, 3),
        lufs=round(lufs if np.isfinite(lufs) else _NOTHING_LUFS, 2),
    )


def clipped_audio(signal: Signal, limits: ClipLimits) -> bool:
    """Is clipped: the recording was too loud for its scale, and peaks are cut off."""
    return limits.max_clipped is not None and signal.clipped > limits.max_clipped


def too_quiet(signal: Signal, limits: ClipLimits) -> bool:
    """The clip is too quiet."""
    return limits.min_lufs is not None and signal.lufs < limits.min_lufs


def too_loud(signal: Signal, limits: ClipLimits) -> bool:
    """The clip is too loud."""
    return limits.max_lufs is not None and signal.lufs > limits.max_lufs


def leading_silence(signal: Signal, limits: ClipLimits) -> bool:
    """The clip begins with a long silence."""
    return limits.max_leading_s is not None and signal.leading_s > limits.max_leading_s


def trailing_silence(signal: Signal, limits: ClipLimits) -> bool:
    """The clip ends with a long silence, as when a TTS model loses its way."""
    return limits.max_trailing_s is not None and signal.trailing_s > limits.max_trailing_s


def mostly_silence(signal: Signal, limits: ClipLimits) -> bool:
    """Most of the clip is silent."""
    return limits.max_silence is not None and signal.silence > limits.max_silence


@dataclass(frozen=True)
class Heard:
    """A clip as a check sees it."""

    signal: Signal
    limits: ClipLimits


def _of_clip(function: Callable[[Signal, ClipLimits], bool]) -> Check[Heard]:
    return Check(function.__name__, lambda heard: function(heard.signal, heard.limits), first_line(function))


CHECKS = tuple(map(_of_clip, (too_quiet, clipped_audio, too_loud, leading_silence, trailing_silence, mostly_silence)))
REASONS = tuple(check.code for check in CHECKS)


def fault(signal: Signal, limits: ClipLimits, own: Sequence[Check[Heard]] = ()) -> str | None:
    """Return the reason code of the first check that the clip fails; the user's `own` checks run last."""
    return next(failing((*CHECKS, *own), Heard(signal, limits)), None)
