"""DNSMOS P.835: a small ONNX model that predicts how good speech sounds to listeners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ieat_data.data.audio import Samples
from ieat_data.engines import batching
from ieat_data.engines.base import Failure, Quality, Rate, Requirement

WINDOW = 144_160  # samples at 16 kHz, 9.01 s: the model's input length
_MAX_S = 120.0
# maps the model's scale to the listeners', as fitted by its authors
_LISTENERS = {
    "signal": (-0.08397278, 1.22083953, 0.0052439),
    "background": (-0.13166888, 1.60915514, -0.39604546),
    "overall": (-0.06766283, 1.11546468, 0.04602535),
}


class DNSMOS:
    """Speech quality from 1 to 5: of the speech, of the background, overall. One thread, so that runs agree.

    A long clip is rated in consecutive windows, the last one ending with the clip; its scores are their means. A clip
    shorter than a window is repeated, as its authors do.

    Args:
        model: `sig_bak_ovr.onnx`: a name in the catalogue, or a path.
        threads: per call.
    """

    exact: ClassVar[bool] = True
    neutral_settings: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = "dnsmos"

    def __init__(self, model: str = "dnsmos", threads: int = 1) -> None:
        import onnxruntime

        from ieat_data.engines import weights as models

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(
            str(models.resolve(model)), options, providers=["CPUExecutionProvider"]
        )

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        return [Requirement("module", "onnxruntime"), Requirement("model", str(settings.get("model", "dnsmos")))]

    def rate(self, requests: Sequence[Rate]) -> list[Quality | Failure]:
        """Rate each clip. Failures: those of `batching.hear`."""
        return batching.each(self._rate, requests)

    def _rate(self, request: Rate) -> Quality | Failure:
        samples = batching.hear(request.audio, _MAX_S)
        if isinstance(samples, Failure):
            return samples
        raw = np.mean([self._session.run(None, {"input_1": w[None]})[0][0] for w in windows(samples)], axis=0)
        scores = {n: float(np.polyval(p, x)) for (n, p), x in zip(_LISTENERS.items(), raw, strict=True)}
        return Quality(**{n: round(min(max(s, 1.0), 5.0), 4) for n, s in scores.items()})


def windows(samples: Samples) -> list[Samples]:
    """Return the windows (`WINDOW` samples each) of a clip."""
    if len(samples) <= WINDOW:
        return [np.resize(samples, WINDOW)]
    starts = [*range(0, len(samples) - WINDOW, WINDOW), len(samples) - WINDOW]
    return [samples[s : s + WINDOW] for s in starts]
