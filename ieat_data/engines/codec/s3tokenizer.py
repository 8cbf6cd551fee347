"""CosyVoice's supervised semantic speech tokenizer (S3, version 2), in PyTorch by the `s3tokenizer` library.

Its weights come from the published ONNX file, which itself takes one clip at a time; here clips go in batches.

Not exact: the other clips of a batch change the last bits, which flips a token if a value is about to be rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.engines import batching, devices
from ieat_data.engines.base import Encode, Failure, Requirement, SpeechTokens
from ieat_data.errors import UserError

RATE_HZ = 25.0
CODEBOOK = 3**8
FRAMES_HZ = 100  # of the mel spectrogram: four frames per token
WINDOW, OVERLAP = 3000, 400  # frames: the model takes at most 30 s; neighbouring windows of longer clips share 4 s
_HEAD = 64  # the library's rotary embedding is made for heads of this width
_NEEDED = "speech_tokenizer_v2.onnx of CosyVoice2-0.5B is needed"


class S3Tokenizer:
    """Speech to tokens of a codebook of 6561, 25 per second.

    Args:
        model: the file `speech_tokenizer_v2.onnx` of CosyVoice2-0.5B, as downloaded by the hub's client (sha256
            d43342aa12163a80bf07bffb94c9de2e120a8df2f9917cd2f642e7f4219c6f71).
        device: a torch device, e.g. `cuda:0`, `cpu`.
        batch_s: seconds of audio per batch, padding included; a batch that needs too much memory is halved.
        max_s: longer clips (seconds) get no tokens. A clip over 30 s is tokenized in overlapping windows.

    Raises:
        UserError: the model cannot be loaded completely on this device.
    """

    exact: ClassVar[bool] = False
    # they only change which clips share a batch
    neutral_settings: ClassVar[frozenset[str]] = frozenset({"device", "batch_s"})
    extra: ClassVar[str] = "s3tokenizer"

    def __init__(self, model: str, device: str = "cuda:0", batch_s: float = 300.0, max_s: float = 30.0) -> None:
        file = _file(model)
        devices.check(device)
        devices.keep_float32()
        self._model, self._device = load(file).to(device), device
        self._batch_s, self._max_s = batch_s, max_s

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        if not settings.get("model"):
            raise UserError(f"engine s3tokenizer: needs the setting `model`, a file; {_NEEDED}")
        modules = [Requirement("module", name) for name in ("s3tokenizer", "torch")]
        return [*modules, Requirement("model", str(settings["model"]))]

    def encode(self, requests: Sequence[Encode]) -> list[SpeechTokens | Failure]:
        """Tokenize each clip: one token per 40 ms, and one for a remainder of 10 ms or more.

        Failures: those of `batching.hear`.
        """
        answers: list[Any] = [self._hear(r.audio) for r in requests]
        pieces = [
            (i, mel[:, window])
            for i, mel in enumerate(answers)
            if not isinstance(mel, Failure)
            for window in windows(mel.shape[1])
        ]
        coded = batching.run(
            [mel.shape[1] / FRAMES_HZ for _, mel in pieces],
            self._batch_s,
            lambda batch: self._quantize([pieces[k][1] for k in batch]),
        )
        of_clip: dict[int, list[Any]] = {}
        for (i, _), tokens in zip(pieces, coded, strict=True):
            of_clip.setdefault(i, []).append(tokens)
        for i, parts in of_clip.items():
            failed = [p for p in parts if isinstance(p, Exception)]
            answers[i] = failed[0] if failed else SpeechTokens(join(parts), RATE_HZ)
        return answers

    def _hear(self, data: bytes) -> Any:
        """Return the clip's log mel spectrogram, a tensor (mels, frames), or why there is none."""
        import s3tokenizer
        import torch

        samples = batching.hear(data, self._max_s)
        if isinstance(samples, Failure):
            return samples
        # before any padding: the scale depends on the clip's own loudest frame
        mel = s3tokenizer.log_mel_spectrogram(torch.from_numpy(samples))
        if not mel.isfinite().all():
            return Failure("not_finite_audio", "the clip holds samples whose squares are too large for a float")
        return mel

    def _quantize(self, mels: Sequence[Any]) -> list[list[int]]:
        import s3tokenizer

        batch, frames = s3tokenizer.padding(list(mels))
        tokens, counts = self._model.quantize(batch.to(self._device), frames.to(self._device))
        return [row[:n] for row, n in zip(tokens.tolist(), counts.tolist(), strict=True)]


def windows(frames: int) -> list[slice]:
    """Return where to cut a clip, so that no window exceeds `WINDOW` and neighbours share `OVERLAP` frames.

    The library also cuts long clips, but drops up to 2 s of the tokens of some: its last window may lie within the
    previous one.
    """
    starts = range(0, max(frames - OVERLAP, 1), WINDOW - OVERLAP)
    return [slice(start, min(start + WINDOW, frames)) for start in starts]


def join(parts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Join the tokens of a clip's windows; of an overlap each window gives half, the part farther inside."""
    half = OVERLAP // 2 * int(RATE_HZ) // FRAMES_HZ
    last = len(parts) - 1
    return tuple(t for k, p in enumerate(parts) for t in p[half * (k > 0) : len(p) - half * (k < last)])


def load(file: Path) -> Any:
    """Build the library's model on the CPU, in the size of the weights in the ONNX file.

    Raises:
        UserError: the file is not such a model.
    """
    import s3tokenizer
    from s3tokenizer.model_v2 import ModelConfig

    try:
        weights = s3tokenizer.onnx2torch(str(file))
        width = len(weights["encoder.conv1.weight"])
        if width % _HEAD:
            raise ValueError(f"its width {width} is not a multiple of {_HEAD}")
        # a new one: the library's default is shared and gets modified
        config = ModelConfig(
            n_audio_state=width,
            n_audio_head=width // _HEAD,
            n_audio_layer=len({name.split(".")[2] for name in weights if name.startswith("encoder.blocks.")}),
        )
        model = s3tokenizer.S3TokenizerV2("speech_tokenizer_v2_25hz", config)
        model.load_state_dict(weights)
    except Exception as e:  # protobuf's, torch's, KeyErrors: the library looks nodes up by name and asserts the rest
        raise UserError(
            f"{file}: not an S3 tokenizer that s3tokenizer can load; {_NEEDED}: {type(e).__name__}: "
            f"{batching.one_line(e)}"
        ) from None
    return model.eval()


def _file(model: str) -> Path:
    from ieat_data.engines import weights as models

    path = models.resolve(model)
    if not path.is_file():
        raise UserError(f"{path}: is a folder; the file {_NEEDED}")
    return path
