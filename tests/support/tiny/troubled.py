"""CosyVoice2 whose LLM fails in all the ways it can, as the text asks for it: all the rest is the real library."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.engines.base import Clip, Failure, Synthesize
from ieat_data.engines.tts.cosyvoice2 import CosyVoice2
from ieat_data.engines.tts.cosyvoice2_speaker import Speaker


def trouble(text: str) -> None:
    match text:
        case "Hang.":
            threading.Event().wait()
        case "Raise.":
            raise ValueError("no such token")
        case "Break CUDA.":
            raise RuntimeError("CUDA error: device-side assert triggered")
        case "Crash.":
            os._exit(7)


class TroubledSpeaker(Speaker):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        llm = self.library.model.llm
        real = llm.inference

        def inference(**given: Any) -> Iterator[Any]:
            trouble(self.text)
            tokens = real(**given)
            if self.text.startswith("Stop in the middle"):
                yield from itertools.islice(tokens, 20)
                raise ValueError("cut off")
            yield from tokens

        llm.inference = inference

    def speak(self, request: Synthesize) -> Clip | Failure | Exception:
        self.text = request.text
        return super().speak(request)

    def pid(self) -> int:
        return os.getpid()


class TroubledCosyVoice2(CosyVoice2):
    speaker: ClassVar[type[Speaker]] = TroubledSpeaker

    def pid(self) -> int:
        """Of the process that speaks."""
        return int(self._child.call("pid", timeout_s=60))


class Unpickled:
    """What runs when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)
