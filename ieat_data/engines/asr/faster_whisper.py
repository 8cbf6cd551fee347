"""Whisper on the CPU: CTranslate2 through faster-whisper. Exact: one clip at a time, no temperature fallback."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ieat_data.data import audio
from ieat_data.engines.base import Failure, Requirement, Transcribe, Transcript
from ieat_data.errors import UserError

_RATE = 16_000
# without a prompt in Simplified script, Whisper may write Mandarin in Traditional script
_PROMPTS = {"zh": "以下是普通话的句子。", "en": None}


class FasterWhisper:
    """Speech to text with a Whisper model in CTranslate2's format.

    Args:
        model: name in the model catalogue, or a folder with `model.bin`, `config.json` and `tokenizer.json`.
        threads: CPU threads.
        beam: width of the beam search.
        compute_type: CTranslate2's, e.g. `int8`, `float32`.
        min_s, max_s: clips outside of these durations (seconds) are not transcribed.

    Raises:
        UserError: the model cannot be loaded.
    """

    exact: ClassVar[bool] = True
    neutral_settings: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = "whisper"

    def __init__(
        self,
        model: str,
        threads: int = 2,
        beam: int = 5,
        compute_type: str = "int8",
        min_s: float = 0.1,
        max_s: float = 120.0,
    ) -> None:
        # waiting threads sleep and leave the cores to the other engines; OpenMP reads this when it is loaded
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        from faster_whisper import WhisperModel
        from opencc import OpenCC

        from ieat_data.engines import weights as models

        folder = models.resolve(model)
        for name in ("model.bin", "config.json", "tokenizer.json"):
            if not (folder / name).is_file():
                raise UserError(f"{folder}: has no {name}; a Whisper model in CTranslate2's format is needed")
        try:
            self._model = WhisperModel(
                str(folder), device="cpu", compute_type=compute_type, cpu_threads=threads, local_files_only=True
            )
        except (RuntimeError, ValueError) as e:
            raise UserError(f"{folder}: CTranslate2 cannot load it: {e}") from None
        self._beam, self._min_s, self._max_s = beam, min_s, max_s
        self._simplified = OpenCC("t2s")

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        if not settings.get("model"):
            raise UserError("engine faster_whisper: needs the setting `model`, see `ieat models list`")
        modules = [Requirement("module", name) for name in ("faster_whisper", "opencc")]
        return [*modules, Requirement("model", str(settings["model"]))]

    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]:
        """Transcribe each clip; a clip without speech gives an empty text.

        Failures: `undecodable_audio`, `empty_audio`, `not_finite_audio`, `too_short_audio`, `too_long_audio`,
        `unsupported_language`, `engine_error`. `details`: `avg_logprob` (per token, over segments weighted by their
        duration), `no_speech_prob` and `compression_ratio` (largest of the segments), `segments`.
        """
        return [self._transcribe(r) for r in requests]

    def _transcribe(self, request: Transcribe) -> Transcript | Failure:
        if request.language not in _PROMPTS:
            return Failure("unsupported_language", f"{request.language!r}; {' and '.join(_PROMPTS)} can be transcribed")
        try:
            samples, _ = audio.decode(request.audio, _RATE, self._max_s + 0.1)
        except audio.AudioError as e:
            return Failure(e.reason, str(e))
        seconds = samples.size / _RATE
        if seconds < self._min_s:
            return Failure("too_short_audio", f"{seconds:.3f} s, the minimum is {self._min_s:g} s")
        if seconds > self._max_s:
            return Failure("too_long_audio", f"over {self._max_s:g} s")
        try:
            found, _ = self._model.transcribe(
                samples,
                language=request.language,
                beam_size=self._beam,
                temperature=0.0,
                condition_on_previous_text=False,
                initial_prompt=_PROMPTS[request.language],
                vad_filter=False,
            )
            segments = list(found)
        except (RuntimeError, ValueError) as e:
            return Failure("engine_error", f"faster-whisper: {e}")
        text = " ".join("".join(s.text for s in segments).split())
        if request.language == "zh":
            text = self._simplified.convert(text)
        return Transcript(text, _details(segments))


def _details(segments: Sequence[Any]) -> dict[str, float]:
    if not segments:
        return {"segments": 0.0}
    weights = [max(s.end - s.start, 0.01) for s in segments]
    return {
        "segments": float(len(segments)),
        "avg_logprob": sum(w * s.avg_logprob for w, s in zip(weights, segments, strict=True)) / sum(weights),
        "no_speech_prob": max(s.no_speech_prob for s in segments),
        "compression_ratio": max(s.compression_ratio for s in segments),
    }
