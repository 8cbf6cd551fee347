"""CosyVoice2 on a GPU: speech in the voices of a bank of prompts, in either language.

The library runs in its own process, which is ended and restarted if a call hangs or CUDA fails. Not exact: GPU kernels
differ between cards and versions, so at best the same seed gives the same clip on the same machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.engines import batching
from ieat_data.engines.base import Clip, Failure, Requirement, Synthesize
from ieat_data.engines.child import Child
from ieat_data.engines.tts import cosyvoice2_load, voices
from ieat_data.engines.tts.cosyvoice2_speaker import Speaker
from ieat_data.engines.tts.cosyvoice2_text import PIECE
from ieat_data.errors import EngineDied, UserError

_ESTIMATOR = "flow.decoder.estimator.fp32.onnx"  # the source of TensorRT's plan
_CLONE = (
    "pip install 'ieat-data[cosyvoice]', and clone FunAudioLLM/CosyVoice with its submodules and export "
    "COSYVOICE_HOME=CLONE (docs/gpu.md)"
)
_BANK = "`voices_file` is a bank of voices in its own folder (docs/gpu.md)"


class CosyVoice2:
    """Text to speech at 24 kHz, one utterance at a time; use more `replicas` for more at once.

    A voice speaks its own language by zero-shot cloning and the other one cross-lingually; if its line in the bank has
    an `instruction`, it follows that. The code comes from a clone of FunAudioLLM/CosyVoice (with submodules) named by
    the environment variable COSYVOICE_HOME, else from an installed package that provides `cosyvoice.cli`.

    Args:
        model: folder of a CosyVoice2 model.
        voices_file: your own bank (`voices.py`); the profile's `voices` are its ids. None: the voices are those of the
            clips that come with the requests.
        timeout_s: seconds for one utterance; a longer call is ended.
        max_chars: longer texts are not spoken.
        require_gpu: refuse to run on the CPU.
        fp16, load_trt, load_vllm: the library's own options. TensorRT and vLLM write their files into `model`.

    Raises:
        UserError: the model, the bank or the library cannot be loaded.
    """

    exact: ClassVar[bool] = False
    # the model counts by its files: the library writes others next to them
    neutral_settings: ClassVar[frozenset[str]] = frozenset({"model", "require_gpu"})
    extra: ClassVar[str] = "cosyvoice"
    speaker: ClassVar[type[Speaker]] = Speaker

    def __init__(
        self,
        model: str,
        voices_file: str | None = None,
        timeout_s: float = 120.0,
        max_chars: int = 1000,
        require_gpu: bool = True,
        fp16: bool = False,
        load_trt: bool = False,
        load_vllm: bool = False,
    ) -> None:
        if timeout_s <= 0:
            raise UserError(f"engine cosyvoice2: timeout_s {timeout_s} must be over 0")
        self._timeout_s, self._max_chars = timeout_s, max_chars
        self._voices = voices.read(Path(voices_file).expanduser().absolute()) if voices_file else {}
        options = [o for o, on in {"fp16": fp16, "load_trt": load_trt, "load_vllm": load_vllm}.items() if on]
        folder = Path(model).expanduser().absolute()
        try:
            self._child = Child(self.speaker, folder, self._voices, require_gpu, options)
        except EngineDied as e:
            raise UserError(f"engine cosyvoice2: {folder} cannot be loaded: {e}") from None

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        if not settings.get("model"):
            raise UserError("engine cosyvoice2: needs the setting `model`")
        modules, hint = ["torch", "torchaudio", "transformers", "hyperpyyaml"], ""
        if not cosyvoice2_load.home():
            modules += ["cosyvoice", "matcha"]
            hint = _CLONE
        names = [*cosyvoice2_load.FILES, cosyvoice2_load.TOKENIZER, *([_ESTIMATOR] if settings.get("load_trt") else [])]
        banks = []
        if bank := settings.get("voices_file"):
            # the bank's file, and everything in its folder
            banks = [str(bank), str(Path(bank).expanduser().absolute().parent)]
        return [
            *(Requirement("module", m, hint) for m in modules),
            *(Requirement("model", str(Path(settings["model"]) / n)) for n in names),
            *(Requirement("model", p, _BANK) for p in banks),
        ]

    @classmethod
    def takes_prompts(cls, settings: Mapping[str, Any]) -> bool:
        return not settings.get("voices_file")

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        """Speak each text.

        Failures: `empty_text`, `too_long_text`, `unsupported_language`, `unknown_voice`, `unspeakable_text` (nothing
        in it has a sound), and for the clip of a voice those of `audio.decode`.
        """
        return batching.each(self._synthesize, requests)

    def _synthesize(self, request: Synthesize) -> Clip | Failure:
        if fault := self._fault(request):
            return fault
        answer: Clip | Failure = self._child.call("speak", request, timeout_s=self._timeout_s)
        return answer

    def _fault(self, request: Synthesize) -> Failure | None:
        if not request.text.strip():
            return Failure("empty_text", "the text is empty")
        if len(request.text) > self._max_chars:
            return Failure("too_long_text", f"{len(request.text)} characters, the maximum is {self._max_chars}")
        if request.language not in PIECE:
            return Failure("unsupported_language", f"{request.language!r}; {' and '.join(PIECE)} can be spoken")
        if request.speaker is None and request.voice not in self._voices:
            some = ", ".join(list(self._voices)[:4])
            return Failure("unknown_voice", f"no voice {request.voice!r} among {len(self._voices)}, such as {some}")
        return None
