"""Is a clip what it should be? Word and character error rates, pace, silence."""

from __future__ import annotations

import contextlib
import functools
import re
import unicodedata

import numpy as np

from ieat_data.checks.language import to_simplified
from ieat_data.data.audio import Samples

METRIC = {"en": "wer", "zh": "cer"}

# Plausible seconds per unit of speech (a word in English, a character in Chinese).
PACE_S = {"en": (0.12, 1.2), "zh": (0.08, 0.7)}


@functools.cache
def _english():  # type: ignore[no-untyped-def]
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()


def units(text: str, language: str) -> list[str]:
    """Return the units of the error rate: words (en) or characters (zh), numbers normalized, without punctuation."""
    text = unicodedata.normalize("NFKC", text)
    if language == "en":
        return str(_english()(text)).split()
    import cn2an

    with contextlib.suppress(ValueError):  # digits that spell no number stay as they are
        text = cn2an.transform(to_simplified(text), "an2cn")
    return re.findall(r"[a-z0-9]+|[^\W_a-z0-9]", text.lower())


def error_rate(reference: str, hypothesis: str, language: str) -> float:
    """Return WER (en) or CER (zh): edits per unit of the reference; 1.0 if that is empty and the hypothesis is not."""
    from rapidfuzz.distance import Levenshtein

    ref, hyp = units(reference, language), units(hypothesis, language)
    if not ref:
        return 1.0 if hyp else 0.0
    return Levenshtein.distance(ref, hyp) / len(ref)


def pace_fault(text: str, language: str, duration_s: float) -> str | None:
    """Return `too_fast` or `too_slow` for the length of the text (half a second does not count), else None."""
    n = len(units(text, language))
    low, high = PACE_S[language]
    if duration_s < n * low:
        return "too_fast"
    if duration_s > n * high + 0.5:
        return "too_slow"
    return None


def is_silent(samples: Samples, threshold_db: float = -55.0) -> bool:
    """Tell whether even the loudest 50 ms (samples in [-1, 1]) stay below `threshold_db` dBFS."""
    frame = max(1, min(len(samples), 800))
    usable = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loudest = float(np.sqrt((usable.astype(np.float64) ** 2).mean(axis=1)).max(initial=0.0))
    return bool(20 * np.log10(loudest + 1e-12) < threshold_db)
