"""Kokoro-82M on the CPU: ONNX through kokoro-onnx, Mandarin phonemes by misaki, English ones by espeak-ng.

Exact: the model has no randomness of its own, and each clip is computed alone. A seed changes the speed a little, so
that another try gives another clip.
"""

from __future__ import annotations

import logging
import tempfile
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ieat_data.data import audio
from ieat_data.engines import batching
from ieat_data.engines.base import Clip, Failure, Requirement, Synthesize
from ieat_data.engines.tts.text import Language, pieces, runs, speakable
from ieat_data.errors import UserError

# characters per call: well under the model's 510 phonemes, near which it speaks too fast
_PIECE = {"en": 240, "zh": 70}
_PAUSE_S = 0.2


class Kokoro:
    """Text to speech at 24 kHz.

    Args:
        model: name in the model catalogue, or an ONNX file of Kokoro.
        voices_model: the same for the voices, an .npz of name → float32 (510, 1, 256).
        threads: CPU threads.
        speed: rate of speech; 1 is the voice's own.
        speed_range: a seed changes the speed by at most this share, up or down.
        max_chars: longer texts are not spoken.

    Raises:
        UserError: the model or the voices cannot be loaded.
    """

    exact: ClassVar[bool] = True
    neutral_settings: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = "kokoro"

    def __init__(
        self,
        model: str,
        voices_model: str,
        threads: int = 2,
        speed: float = 1.0,
        speed_range: float = 0.08,
        max_chars: int = 1000,
    ) -> None:
        from ieat_data.engines import weights as models

        if not (0 <= speed_range < 1 and speed * (1 - speed_range) >= 0.5 and speed * (1 + speed_range) <= 2.0):
            raise UserError(f"engine kokoro: speed {speed} ± {speed_range:.0%} must stay between 0.5 and 2")
        self._speed, self._range, self._max_chars = speed, speed_range, max_chars
        self._kokoro = _load(models.resolve(model), models.resolve(voices_model), threads)
        self._mandarin = _mandarin_g2p()

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        for name in ("model", "voices_model"):
            if not settings.get(name):
                raise UserError(f"engine kokoro: needs the setting `{name}`, see `ieat models list`")
        modules = [Requirement("module", name) for name in ("kokoro_onnx", "misaki", "onnxruntime")]
        return [*modules, *(Requirement("model", str(settings[n])) for n in ("model", "voices_model"))]

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        """Speak each text. Any voice speaks either language; words in the other script are spoken in their language.

        Failures: `empty_text`, `too_long_text`, `unknown_voice`, `unsupported_language`, `unspeakable_text` (nothing
        in it has a sound).
        """
        return batching.each(self._synthesize, requests)

    def _synthesize(self, request: Synthesize) -> Clip | Failure:
        if fault := self._fault(request):
            return fault
        language: Language = "zh" if request.language == "zh" else "en"
        # voices whose name begins with b are British
        english = "en-gb" if request.voice.startswith("b") else "en-us"
        drawn = np.random.default_rng(request.seed).uniform(-self._range, self._range)
        spoken: list[audio.Samples] = []
        rate = 0
        for piece in pieces(speakable(request.text), _PIECE[language]):
            phonemes = self._phonemes(piece, language, english)
            if not any(p.isalpha() for p in phonemes):
                continue  # only punctuation
            samples, rate = self._kokoro.create(
                phonemes, voice=request.voice, speed=float(self._speed * (1 + drawn)), is_phonemes=True
            )
            if spoken:
                spoken.append(np.zeros(int(_PAUSE_S * rate), np.float32))
            spoken.append(samples.astype(np.float32))
        if not spoken:
            return Failure("unspeakable_text", f"nothing in {request.text[:80]!r} has a sound")
        whole = np.concatenate(spoken)
        if not whole.size or not np.isfinite(whole).all():
            raise RuntimeError("kokoro gave no usable samples")
        return Clip(audio.encode_flac(whole, rate), rate, whole.size / rate)

    def _fault(self, request: Synthesize) -> Failure | None:
        if not request.text.strip():
            return Failure("empty_text", "the text is empty")
        if len(request.text) > self._max_chars:
            return Failure("too_long_text", f"{len(request.text)} characters, the maximum is {self._max_chars}")
        if request.language not in _PIECE:
            return Failure("unsupported_language", f"{request.language!r}; {' and '.join(_PIECE)} can be spoken")
        if request.voice not in self._kokoro.voices:
            known = self._kokoro.get_voices()
            some = [v for v in known if v.startswith("z" if request.language == "zh" else ("a", "b"))][:4] or known[:4]
            return Failure("unknown_voice", f"no voice {request.voice!r} among {len(known)}, such as {', '.join(some)}")
        return None

    def _phonemes(self, text: str, language: Language, english: str) -> str:
        spoken = []
        for run_language, run in runs(text, language):
            if run_language == "zh":
                spoken.append(self._mandarin(run))
            else:
                # full-width letters, digits and marks as plain ones
                plain = unicodedata.normalize("NFKC", run)
                spoken.append(self._kokoro.tokenizer.phonemize(plain, english))
        known = self._kokoro.tokenizer.known(" ".join(s for s in spoken if s))
        return " ".join(known.split())


def _load(model: Path, voices: Path, threads: int) -> Any:
    import onnxruntime
    from kokoro_onnx import Kokoro as Onnx

    logging.getLogger("phonemizer").setLevel(logging.ERROR)  # it warns about every number
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # waiting threads must not use the cores that other engines need
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as e:  # onnxruntime's errors have no common base class
        raise UserError(f"{model}: onnxruntime cannot load it: {e}") from None
    try:
        loaded = Onnx.from_session(session, str(voices))
        shapes = {loaded.voices[name].shape[1:] for name in loaded.get_voices()}
    except (OSError, ValueError, AttributeError) as e:
        raise UserError(f"{voices}: not a file of voices (.npz): {e}") from None
    if shapes != {(1, 256)}:
        raise UserError(f"{voices}: voices must have the shape (n, 1, 256), found {sorted(shapes)}")
    return loaded


def _mandarin_g2p() -> Callable[[str], str]:
    """Return a function from Mandarin text to Kokoro's phonemes."""
    import jieba

    # by default jieba trusts a cache file of a fixed name in the shared temporary folder, and writes one there
    jieba.setLogLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="ieat-jieba-") as own:
        jieba.dt.tmp_dir = own
        jieba.initialize()
    from misaki.zh import ZHG2P

    g2p = ZHG2P()
    return lambda text: str(g2p(text)[0])
