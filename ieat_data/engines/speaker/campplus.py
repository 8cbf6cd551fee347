"""CAM++, the speaker model that comes with CosyVoice2 as an ONNX file: is it the same voice?"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ieat_data.data.audio import Samples
from ieat_data.engines import batching
from ieat_data.engines.base import Compare, Failure, Requirement, Similarity
from ieat_data.errors import UserError

_MELS = 80
_MAX_S = 60.0
_KEPT = 1024  # cached embeddings of references


class CAMPPlus:
    """Cosine of the embeddings of two clips. One thread, so that runs agree.

    Args:
        model: `campplus.onnx` of CosyVoice2-0.5B.
        threads: per call.
    """

    exact: ClassVar[bool] = True
    neutral_settings: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = "campplus"

    def __init__(self, model: str, threads: int = 1) -> None:
        import onnxruntime

        from ieat_data.engines import weights as models

        file = models.resolve(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as e:  # onnxruntime's, a different type for each fault
            raise UserError(f"{file}: not an ONNX model: {batching.one_line(e)}") from None
        given = self._session.get_inputs()
        if [x.shape[-1] for x in given] != [_MELS]:
            shapes = ", ".join(str(x.shape) for x in given)
            raise UserError(f"{file}: takes {shapes}; campplus.onnx of CosyVoice2 takes {_MELS} mels")
        self._input = given[0].name
        self._references: OrderedDict[bytes, NDArray[np.float64] | Failure] = OrderedDict()

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        if not settings.get("model"):
            raise UserError("engine campplus: needs the setting `model`, the file campplus.onnx of CosyVoice2-0.5B")
        modules = [Requirement("module", name) for name in ("onnxruntime", "kaldi_native_fbank")]
        return [*modules, Requirement("model", str(settings["model"]))]

    def compare(self, requests: Sequence[Compare]) -> list[Similarity | Failure]:
        """Compare each pair. Failures: those of `batching.hear`, for either clip."""
        return batching.each(self._compare, requests)

    def _compare(self, request: Compare) -> Similarity | Failure:
        key = hashlib.sha256(request.reference).digest()
        if key not in self._references:
            self._references[key] = self._voice(request.reference)
            if len(self._references) > _KEPT:
                self._references.popitem(last=False)
        reference, voice = self._references[key], self._voice(request.audio)
        if isinstance(voice, Failure):
            return voice
        return reference if isinstance(reference, Failure) else Similarity(round(float(voice @ reference), 4))

    def _voice(self, audio: bytes) -> NDArray[np.float64] | Failure:
        """Return the embedding, normalized to length 1."""
        samples = batching.hear(audio, _MAX_S)
        if isinstance(samples, Failure):
            return samples
        (found,) = self._session.run(None, {self._input: features(samples)[None]})
        voice = np.asarray(found[0], np.float64)
        length = float(np.linalg.norm(voice))
        if not length:
            raise RuntimeError("CAM++: the embedding is zero")
        return voice / length


def features(samples: Samples) -> NDArray[np.float32]:
    """Return Kaldi's log mel filter banks of samples at 16 kHz, mean removed: shape (frames, 80)."""
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.samp_freq = batching.RATE
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = _MELS
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(batching.RATE, samples.tolist())
    bank.input_finished()
    frames = np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])
    return np.asarray(frames - frames.mean(axis=0), np.float32)
