"""Join a spoken question and an utterance: equal loudness, a gap between them, spans that say which part is which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ieat_data.data.audio import Samples
from ieat_data.data.loudness import loudness
from ieat_data.data.rows import Span

PEAK = 0.89  # -1 dBFS: the loudest sample after matching
_MAX_GAIN_DB = 20.0  # a clip that needs more gain is noise, not speech


@dataclass(frozen=True)
class Piece:
    """Mono samples and what they are: `utterance`, `gap` or `question`.

    Also the row they come from, the speaker, and the hash of the encoded clip (`audio.content_hash`).
    """

    kind: str
    samples: Samples
    ref: str | None = None
    speaker: str | None = None
    clip: str | None = None


def match_loudness(question: Samples, utterance: Samples, rate: int) -> tuple[Samples, Samples]:
    """Scale the question to the utterance's loudness; scale both down if a peak would exceed -1 dBFS."""
    gain = loudness(utterance, rate) - loudness(question, rate)
    gain = float(np.clip(gain if np.isfinite(gain) else 0.0, -_MAX_GAIN_DB, _MAX_GAIN_DB))
    matched = question * np.float32(10 ** (gain / 20))
    peak = max(_peak(matched), _peak(utterance))
    if peak <= PEAK:
        return matched, utterance
    scale = np.float32(PEAK / peak)
    return matched * scale, utterance * scale


def _peak(samples: Samples) -> float:
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


def join(pieces: list[Piece], rate: int, audio: int = 0) -> tuple[Samples, list[Span]]:
    """Join the pieces in order; return the samples and the pieces' spans in the sample's clip number `audio`."""
    spans: list[Span] = []
    at = 0
    for p in pieces:
        end = at + len(p.samples)
        spans.append(Span(audio, round(at / rate, 6), round(end / rate, 6), p.kind, p.ref, p.speaker, p.clip))
        at = end
    samples = pieces[0].samples if len(pieces) == 1 else np.concatenate([p.samples for p in pieces])
    return samples, spans
