"""A small request that any working engine of a role answers: is it the row, or does the engine answer nobody?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ieat_data.data.audio import encode_flac
from ieat_data.engines.base import Generate, Segment

_RATE = 16_000
_TEXT = {"en": "Good morning.", "zh": "早上好。"}


def small(method: str, like: Any) -> Any:
    """Return a small request of the same kind: a second of sound, two words, the template around a greeting."""
    match method:
        case "generate" | "choose":
            segments = tuple(s if s.control else Segment("Hello.") for s in like.prompt)
            fewer = replace(like, prompt=segments, shared=0)
            return (
                replace(fewer, sampling=replace(like.sampling, max_tokens=8)) if isinstance(like, Generate) else fewer
            )
        case "synthesize":
            return replace(like, text=_TEXT.get(like.language, _TEXT["en"]), instruction=None)
        case "compare":
            return replace(like, audio=_tone(), reference=_tone())
        case "classify":
            return replace(like, audio=_tone(), transcript=like.transcript and _TEXT["en"], peers=())
        case _:
            return replace(like, audio=_tone())


def _tone() -> bytes:
    t = np.arange(_RATE) / _RATE
    return encode_flac((0.2 * np.sin(2 * np.pi * 220 * t) * np.hanning(_RATE)).astype(np.float32), _RATE)
