"""Engines for the doctor: sound ones that understand the shipped clips, and sick ones."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from ieat_data.engines import batching
from ieat_data.engines.base import (
    Classify,
    Clip,
    EmotionScores,
    Failure,
    Requirement,
    Synthesize,
    Transcribe,
    Transcript,
)
from ieat_data.errors import UserError
from tests.support import doubles


class ASR(doubles.ASR):
    """Knows the shipped clips by heart."""

    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]:
        from ieat_data.apps.doctor.calls import sample_clip

        known = {clip.audio: clip.text for clip in map(sample_clip, ("en", "zh"))}
        return [Transcript(known[r.audio]) for r in requests]


class DeafASR(doubles.ASR):
    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]:
        return [Transcript("thank you for watching") for _ in requests]


class NeedyLLM(doubles.LLM):
    @classmethod
    def requirements(cls, settings: Any) -> list[Requirement]:
        return [Requirement("module", "no_such_library"), Requirement("model", str(settings["model"]))]


class BrokenLLM(doubles.LLM):
    def __init__(self, **settings: Any) -> None:
        raise UserError("its weights are no weights: download them again")


class CallingSER(doubles.SER):
    uses: ClassVar[tuple[str, ...]] = ("llm",)

    def __init__(self, llm: Any, **settings: Any) -> None:
        super().__init__(**settings)


class FailingTTS(doubles.TTS):
    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        if requests[0].language == "zh":
            raise RuntimeError("CUDA error: an illegal memory access")
        return [Failure("unknown_voice", f"no voice {r.voice!r}") for r in requests]


class Both(ASR):
    """Hears the shipped clips, and what the other doubles say."""

    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]:
        heard = [doubles.text_of(r.audio) for r in requests]
        return [
            super(Both, self).transcribe([r])[0] if t is None else Transcript(t)
            for r, t in zip(requests, heard, strict=True)
        ]


class CrashingLLM(doubles.LLM):
    """Its process dies whenever it loads."""

    neutral_settings: ClassVar[frozenset[str]] = frozenset({"log"})

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.called([])
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
        os._exit(134)


class HangingSER(doubles.SER):
    """Never comes back from a clip that says `hang`."""

    def classify(self, requests: Sequence[Classify]) -> list[EmotionScores | Failure]:
        if any(r.transcript == "hang" for r in requests):
            time.sleep(1000)
        return super().classify(requests)


class OutOfMemoryError(RuntimeError):
    """Like torch's, it is known by its name."""


class BreakingASR(doubles.ASR):
    """Hears clips in batches. Its device breaks in the fourth call of each process, and a clip may need too much."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.n = 0

    def transcribe(self, requests: Sequence[Transcribe]) -> list[Any]:
        self.n += 1
        texts = [doubles.text_of(r.audio) or "" for r in requests]
        said = batching.run([3.0] * len(texts), 300.0, lambda batch: self._hear([texts[i] for i in batch]))
        return [Transcript(t) if isinstance(t, str) else t for t in said]

    def _hear(self, texts: list[str]) -> list[str]:
        if self.n >= 4:
            raise RuntimeError("CUDA error: device-side assert triggered")
        if "too much" in texts:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return texts
