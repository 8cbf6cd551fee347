"""SenseVoice, Paraformer and the other models of FunASR, in batches on a GPU.

Not exact: the other clips of a batch may change a word. On a GPU they change the last bits of a result, and the part of
Paraformer that predicts the number of words sees a clip's padding, on any device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ieat_data.data import audio
from ieat_data.engines import batching, funasr_loading
from ieat_data.engines.asr.text import spoken_words
from ieat_data.engines.base import Failure, Requirement, Transcribe, Transcript

_LANGUAGES = ("en", "zh")


class FunASR:
    """Speech to text with a model that FunASR's AutoModel opens.

    Args:
        model: the model's folder, as downloaded by the hub's client.
        device: a torch device, e.g. `cuda:0`, `cpu`.
        batch_s: seconds of audio per batch, padding included; a batch that needs too much memory is halved.
        max_s: longer clips (seconds) are not transcribed.
        use_itn: write punctuation and numerals, with models that have the option (SenseVoice).
        unused_weights: prefixes of the names of weights that the checkpoint may lack, because the transcript does not
            depend on them (`ctc_decoder.` and `ctc.` of Fun-ASR-Nano).

    Raises:
        UserError: the model cannot be loaded completely on this device.
    """

    exact: ClassVar[bool] = False
    version: ClassVar[int] = 2  # 2: words alone
    # they only change which clips share a batch
    neutral_settings: ClassVar[frozenset[str]] = frozenset({"device", "batch_s"})
    extra: ClassVar[str] = "funasr"

    def __init__(
        self,
        model: str,
        device: str = "cuda:0",
        batch_s: float = 300.0,
        max_s: float = 120.0,
        use_itn: bool = True,
        unused_weights: Sequence[str] = (),
    ) -> None:
        folder = funasr_loading.model_folder(model)
        from opencc import OpenCC

        config = funasr_loading.configuration(folder)
        self._auto = funasr_loading.load(folder, config, device, unused_weights)
        self._batch_s, self._max_s, self._use_itn = batch_s, max_s, use_itn
        # only SenseVoice knows languages by these names
        self._told = getattr(self._auto.model, "lid_dict", {})
        self._simplified = OpenCC("t2s")

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        return funasr_loading.requirements("funasr", settings)

    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]:
        """Transcribe each clip; a clip without speech gives an empty text.

        Failures: `unsupported_language`, those of `batching.hear`.
        """
        answers: list[Any] = [self._hear(r) for r in requests]
        heard = [i for i, a in enumerate(answers) if not isinstance(a, Failure)]
        for language in _LANGUAGES:
            asked = [i for i in heard if requests[i].language == language]
            said = self._transcribe([answers[i] for i in asked], language)
            for i, answer in zip(asked, said, strict=True):
                answers[i] = answer
        return answers

    def _hear(self, request: Transcribe) -> audio.Samples | Failure:
        if request.language not in _LANGUAGES:
            known = " and ".join(_LANGUAGES)
            return Failure("unsupported_language", f"{request.language!r}; {known} can be transcribed")
        return batching.hear(request.audio, self._max_s)

    def _transcribe(self, clips: Sequence[audio.Samples], language: str) -> list[Any]:
        texts = batching.run(
            [c.size / batching.RATE for c in clips],
            self._batch_s,
            lambda batch: self._texts([clips[i] for i in batch], language),
        )
        return [Transcript(self._clean(t, language)) if isinstance(t, str) else t for t in texts]

    def _texts(self, clips: list[audio.Samples], language: str) -> list[str]:
        """Return FunASR's texts for a batch, in order: its answers have the same key for all clips."""
        told = {"language": language} if language in self._told else {}
        said = self._auto.generate(input=clips, batch_size=len(clips), use_itn=self._use_itn, **told)
        if len(said) == 1 and "key" not in said[0]:
            # Paraformer gives a single answer to a batch without speech
            said = said * len(clips)
        return [str(s["text"]) for s in said]

    def _clean(self, text: str, language: str) -> str:
        text = spoken_words(text)
        return self._simplified.convert(text) if language == "zh" else text
