"""CosyVoice2 in this process: prompts, seeds, and the library's faults."""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from ieat_data import faults
from ieat_data.data import audio
from ieat_data.engines.base import Clip, Failure, Synthesize
from ieat_data.engines.tts import cosyvoice2_load
from ieat_data.engines.tts.cosyvoice2_text import plain, spoken_pieces
from ieat_data.engines.tts.text import Language
from ieat_data.engines.tts.voices import Voice

_END_OF_PROMPT = "<|endofprompt|>"
_PROMPT_RATE = 16_000


@dataclass(frozen=True)
class _Prompt:
    """The clip that a voice is cloned from, and how to speak."""

    transcript: str
    language: str
    instruction: str = ""


class Speaker:
    """Speaks one text at a time. The arguments after `voices` are those of `cosyvoice2_load.load`."""

    def __init__(self, folder: Path, voices: Mapping[str, Voice], require_gpu: bool, options: Collection[str]) -> None:
        self.library = cosyvoice2_load.load(folder, require_gpu=require_gpu, options=options)
        self._paths = cosyvoice2_load.takes_paths(self.library)
        self._voices = voices
        self._learnt: set[str] = set()
        frontend = self.library.frontend
        frontend.spk2info = _Copies(frontend.spk2info)

    def speak(self, request: Synthesize) -> Clip | Failure | Exception:
        """Speak `request`, whose voice and language are known. Failures: `unspeakable_text`, those of `audio.decode`.

        What fails otherwise is returned, since an exception that is raised here ends the process.

        Raises:
            RuntimeError: CUDA fails: nothing works any more in this process.
        """
        language: Language = "zh" if request.language == "zh" else "en"
        parts = spoken_pieces(request.text, language)
        if not parts:
            return Failure("unspeakable_text", f"nothing in {request.text[:80]!r} has a sound")
        chunks: list[Any] = []
        with _thread_errors() as errors:
            try:
                prompt = self._prompt(request)
                name = f"{request.voice} {request.instruction}" if request.instruction else request.voice
                self._learn(name, request, prompt)
                _seed(request.seed)
                for part in parts:
                    said = self._say(part, name, prompt, language)
                    chunks += [c["tts_speech"].numpy()[0] for c in said]
            except audio.AudioError as e:  # the clip of the voice
                return Failure(e.reason, str(e))
            except Exception as e:  # torch, onnxruntime and asserts raise arbitrary types
                errors.append(e)
        if errors:
            # the first is the cause: an error in the LLM's thread makes the rest fail, or cuts the speech off
            failed = RuntimeError(f"cosyvoice: {type(errors[0]).__name__}: {errors[0]}")
            if faults.breaks_process(errors[0]):
                raise failed
            return failed
        whole = np.concatenate(chunks).astype(np.float32) if chunks else np.zeros(0, np.float32)
        if not whole.size or not np.isfinite(whole).all():
            return RuntimeError("cosyvoice gave no usable samples")
        rate = cosyvoice2_load.RATE
        return Clip(audio.encode_flac(whole, rate), rate, whole.size / rate)

    def _prompt(self, request: Synthesize) -> _Prompt:
        """Return the prompt from the bank's clip, or from the one that comes with the request."""
        if request.speaker is not None:
            return _Prompt(request.speaker.transcript, request.speaker.language, request.instruction or "")
        voice = self._voices[request.voice]
        return _Prompt(voice.transcript, voice.language, request.instruction or voice.instruction)

    def _learn(self, name: str, request: Synthesize, prompt: _Prompt) -> None:
        """Compute the features of a voice's prompt, once.

        They include the text before the spoken text: the transcript, or the instruction if there is one. For a cached
        voice, `inference_instruct2` ignores the instruction that it is given.
        """
        if name in self._learnt:
            return
        before = plain(prompt.instruction) + _END_OF_PROMPT if prompt.instruction else plain(prompt.transcript)
        data = request.speaker.audio if request.speaker else Path(self._voices[request.voice].audio).read_bytes()
        with self._clip(data) as clip:
            self.library.add_zero_shot_spk(before, clip, name)
        self._learnt.add(name)

    @contextlib.contextmanager
    def _clip(self, data: bytes) -> Iterator[Any]:
        """Yield a clip as the library takes it: samples at 16 kHz, or in newer versions a file's path at any rate."""
        if self._paths:
            samples, rate = audio.decode(data)
            with tempfile.NamedTemporaryFile(suffix=".wav") as file:
                sf.write(file, samples, rate, format="WAV", subtype="FLOAT")
                file.flush()
                yield file.name
        else:
            import torch

            yield torch.from_numpy(audio.decode(data, _PROMPT_RATE)[0])[None]

    def _say(self, text: str, name: str, prompt: _Prompt, language: Language) -> Iterator[Mapping[str, Any]]:
        # streaming waits forever if the LLM fails
        how: dict[str, Any] = {"zero_shot_spk_id": name, "stream": False, "text_frontend": False}
        if prompt.instruction:
            said: Iterator[Mapping[str, Any]] = self.library.inference_instruct2(text, prompt.instruction, None, **how)
        elif prompt.language != language:
            said = self.library.inference_cross_lingual(text, None, **how)
        else:
            said = self.library.inference_zero_shot(text, "", None, **how)
        return said


class _Copies(dict[str, dict[str, Any]]):
    """Features by voice, returned as copies: the library modifies what it gets.

    It writes the text into them, and for another language removes the prompt.
    """

    def __getitem__(self, voice: str) -> dict[str, Any]:
        return {**super().__getitem__(voice)}


@contextlib.contextmanager
def _thread_errors() -> Iterator[list[BaseException]]:
    """Collect what threads raise meanwhile. The library's LLM runs in a thread, and nothing checks how it ended."""
    errors: list[BaseException] = []
    before = threading.excepthook

    def note(args: threading.ExceptHookArgs) -> None:
        errors.append(args.exc_value or args.exc_type())

    threading.excepthook = note
    try:
        yield errors
    finally:
        threading.excepthook = before


def _seed(seed: int) -> None:
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # for all devices
