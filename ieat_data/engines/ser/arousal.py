"""How aroused a voice is, in [0, 1]: 0.5 is the speaker's own norm, as far as it is known.

The speaker's norm comes from other clips of the speaker (peers), shrunk towards the language's norm: without peers a
high voice says little, because speakers differ; with some, it is compared with the speaker's own.

Direction and relative weight of the cues after K. R. Scherer, "Vocal communication of emotion", Speech Communication 40
(2003), and P. N. Juslin and P. Laukka, Psychological Bulletin 129 (2003): arousal raises pitch, its range, loudness,
the share of high frequencies and the pace, and shortens pauses. The norms are rounded figures for read and
conversational speech, not fitted to any corpus.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ieat_data.engines.ser.prosody import Prosody


@dataclass(frozen=True)
class Cue:
    """One measure. `weight`: how much it counts, negative if arousal lowers it. `norm`: the usual value, by language.

    `within`: standard deviation over the clips of one speaker. `between`: of the speakers' norms; infinite if speakers
    (or their microphones) cannot be compared at all, so that the cue counts only with peers.
    """

    weight: float
    norm: Mapping[str, float]
    within: float
    between: float


CUES: Mapping[str, Cue] = {
    "pitch": Cue(1.0, {"en": 88.0, "zh": 90.0}, 1.5, 5.0),  # semitones above 1 Hz: about 160 and 180 Hz
    "level": Cue(1.0, {"en": 0.0, "zh": 0.0}, 3.0, math.inf),  # dB
    "range": Cue(0.7, {"en": 8.0, "zh": 9.5}, 2.5, 2.0),  # semitones; tones widen it
    "tilt": Cue(0.7, {"en": -13.0, "zh": -13.0}, 2.0, 4.0),  # dB
    "rate": Cue(0.5, {"en": 4.0, "zh": 4.2}, 0.6, 0.6),  # nuclei per second
    "pauses": Cue(-0.3, {"en": 0.1, "zh": 0.1}, 0.08, 0.06),  # share of time
}
_PRIOR_CLIPS = 4.0  # weight, in clips, of the usual spread within a speaker against the observed one
_FARTHEST = 3.0  # a single cue counts for at most this many standard deviations
_STEEPNESS = 2.0  # one standard deviation in all cues at once gives 0.88


def cues(prosody: Prosody) -> dict[str, float]:
    """Return the values of the measures in `CUES`, without those that could not be measured."""
    values = {
        "pitch": 12 * math.log2(prosody.pitch_median_hz) if prosody.pitch_median_hz else None,
        "level": prosody.level_db,
        "range": prosody.pitch_range_st,
        "tilt": prosody.tilt_db,
        "rate": prosody.rate if prosody.rate > 0 else None,
        "pauses": prosody.pause_share,
    }
    return {name: value for name, value in values.items() if value is not None}


def deviation(value: float, peers: Sequence[float], cue: Cue, language: str) -> float:
    """Return how far `value` is from the speaker's norm, in standard deviations of the speaker.

    The norm is the median of `peers`, shrunk (normal shrinkage) towards the language's norm. The fewer peers, the more
    of a deviation is attributed to the speaker, whose norm may be another than expected.
    """
    n = len(peers)
    if n == 0 and math.isinf(cue.between):
        return 0.0
    variance = cue.within**2
    if n >= 4:
        low, high = np.percentile(peers, (25, 75))
        variance = (_PRIOR_CLIPS * variance + n * ((high - low) / 1.349) ** 2) / (_PRIOR_CLIPS + n)  # 1.349 sd = IQR
    usual = 0.0 if math.isinf(cue.between) else 1 / cue.between**2
    known = n / variance + usual
    centre = (n / variance * (float(np.median(peers)) if n else 0.0) + usual * cue.norm[language]) / known
    return (value - centre) * math.sqrt(variance) / (variance + 1 / known)


def arousal(clip: Prosody, peers: Sequence[Prosody], language: str) -> float:
    """Return the arousal of `clip` against its speaker's `peers`, in (0, 1)."""
    others = [cues(p) for p in peers]
    total = weights = 0.0
    for name, value in cues(clip).items():
        cue = CUES[name]
        z = deviation(value, [o[name] for o in others if name in o], cue, language)
        total += cue.weight * max(-_FARTHEST, min(_FARTHEST, z))
        weights += abs(cue.weight)
    return 1 / (1 + math.exp(-_STEEPNESS * total / weights))
