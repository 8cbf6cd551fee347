"""Whisper on the CPU: CTranslate2 through faster-whisper. Exact: one clip at a time, no temperature fallback.

What CTranslate2 computes depends on the kernels that it chooses: MKL on Intel's CPUs and oneDNN on others, each by
instruction set, and 8-bit products are cut off at 16 bits where AVX-512 VNNI is lacking. So the kernels are pinned:
oneDNN's in float32, with features of our own (`log_mel.py`). Every x86-64 CPU with AVX2 gives the same answers, bit for
bit; others have kernels of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, ClassVar

from ieat_data.data import audio
from ieat_data.engines import batching
from ieat_data.engines.asr.text import spoken_words
from ieat_data.engines.base import Failure, Requirement, Transcribe, Transcript
from ieat_data.engines.cpu import cpu
from ieat_data.errors import UserError

_RATE = 16_000
# without a prompt in Simplified script, Whisper may write Mandarin in Traditional script
_PROMPTS = {"zh": "以下是普通话的句子。", "en": None}
# Read by CTranslate2 and its oneDNN when a kernel is first chosen, and never again. AVX, not AVX2, for oneDNN: its
# convolutions for AVX2 cut their sums by the size of the first cache, 32 KB in one CPU and 48 KB in another.
_PINS = {"CT2_USE_MKL": "0", "CT2_FORCE_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX"}
_COMPUTE_TYPE = "float32"


class FasterWhisper:
    """Speech to text with a Whisper model in CTranslate2's format.

    Args:
        model: name in the model catalogue, or a folder with `model.bin`, `config.json` and `tokenizer.json`.
        threads: CPU threads.
        beam: width of the beam search.
        compute_type: CTranslate2's. `int8` takes half the time and is worse: products are cut off at 16 bits.
        min_s, max_s: clips outside of these durations (seconds) are not transcribed.

    Raises:
        UserError: the model cannot be loaded, or CTranslate2 was loaded before with other kernels.
    """

    exact: ClassVar[bool] = True
    version: ClassVar[int] = 3  # 3: words alone
    neutral_settings: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = "whisper"

    def __init__(
        self,
        model: str,
        threads: int = 2,
        beam: int = 5,
        compute_type: str = _COMPUTE_TYPE,
        min_s: float = 0.1,
        max_s: float = 120.0,
    ) -> None:
        # waiting threads sleep and leave the cores to the other engines; OpenMP reads this when it is loaded
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        _pin_kernels()
        from faster_whisper import WhisperModel
        from opencc import OpenCC

        from ieat_data.engines import weights as models
        from ieat_data.engines.asr.log_mel import LogMel

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
        self._model.feature_extractor = LogMel(self._model.feature_extractor)
        self._beam, self._min_s, self._max_s = beam, min_s, max_s
        self._simplified = OpenCC("t2s")

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        if not settings.get("model"):
            raise UserError("engine faster_whisper: needs the setting `model`, see `ieat models list`")
        modules = [Requirement("module", name) for name in ("faster_whisper", "opencc")]
        return [*modules, Requirement("model", str(settings["model"]))]

    @classmethod
    def kernels(cls, settings: Mapping[str, Any]) -> str:
        """Return what computes the answers on a machine like this one, for the manifest."""
        try:
            version = metadata.version("ctranslate2")
        except metadata.PackageNotFoundError:  # in an environment of its own
            version = "of another environment"
        chosen = "oneDNN AVX" if _pins() else "its own choice"
        return f"CTranslate2 {version}, {settings.get('compute_type', _COMPUTE_TYPE)}, {chosen}"

    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]:
        """Transcribe each clip; a clip without speech gives an empty text.

        Failures: `undecodable_audio`, `empty_audio`, `not_finite_audio`, `too_short_audio`, `too_long_audio`,
        `unsupported_language`. `details`: `avg_logprob` (per token, over segments weighted by their
        duration), `no_speech_prob` and `compression_ratio` (largest of the segments), `segments`.
        """
        return batching.each(self._transcribe, requests)

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
        text = spoken_words("".join(s.text for s in segments))
        if request.language == "zh":
            text = self._simplified.convert(text)
        return Transcript(text, _details(segments))


def _pins() -> dict[str, str]:
    """Return the variables that pin the kernels; none where the CPU lacks them."""
    return dict(_PINS) if {"avx2", "fma"} <= set(cpu()["cpu_flags"].split()) else {}


def _pin_kernels() -> None:
    """Set the variables, over what the environment says. Raises UserError when it may be too late for that."""
    pins = _pins()
    others = [
        f"{k}={os.environ[k]}" if k in os.environ else f"no {k}" for k, v in pins.items() if os.environ.get(k) != v
    ]
    if others and "ctranslate2" in sys.modules:
        wanted = " ".join(f"{k}={v}" for k, v in pins.items())
        raise UserError(
            f"engine faster_whisper: CTranslate2 was loaded in this process before, with {', '.join(others)}: build "
            f"the engine first, or set {wanted}"
        )
    os.environ.update(pins)


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
