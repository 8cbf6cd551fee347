"""emotion2vec on many clips at once, with the scores that each gets alone. Import this only where torch is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ieat_data.data import audio
from ieat_data.errors import UserError


class BatchClassifier:
    """FunASR runs its emotion2vec clip by clip; this runs the same model on padded batches.

    Nothing of a clip may see the padding: each waveform is normalized before it is padded, attention is masked, the
    mean covers only the clip's own frames, and every convolution over frames finds zeros after the clip, as it does at
    the end of a single clip.
    """

    def __init__(self, auto: Any) -> None:
        self._model, self._device = auto.model, auto.kwargs["device"]
        if self._model.proj is None:
            raise UserError(f"{auto.model_path}: has no classes (tokens.txt); a fine-tuned emotion2vec is needed")
        tokens = list(auto.kwargs["tokenizer"].token_list)
        # FunASR's name for an unused output
        self._used = [i for i, t in enumerate(tokens) if not t.startswith("unuse")]
        self.tokens = [tokens[i] for i in self._used]
        self._encoder = self._model.modality_encoders["AUDIO"]
        self._encoder.get_alibi_bias = _shared(self._encoder.get_alibi_bias)
        self._padded = torch.zeros(1, 1, dtype=torch.bool)
        for module in self._encoder.relative_positional_encoder.modules():
            if isinstance(module, torch.nn.Conv1d):
                module.register_forward_pre_hook(self._zero_padding)

    def __call__(self, clips: Sequence[audio.Samples]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return probabilities, shape (clips, `tokens`), for clips at 16 kHz."""
        with torch.inference_mode():
            return np.asarray(self._probabilities(clips).numpy())

    def _probabilities(self, clips: Sequence[audio.Samples]) -> torch.Tensor:
        lengths = torch.tensor([c.size for c in clips])
        batch = torch.zeros(len(clips), int(lengths.max()))
        for row, clip in zip(batch, clips, strict=True):
            wave = torch.from_numpy(clip)
            if self._model.cfg.normalize:
                wave = torch.nn.functional.layer_norm(wave, wave.shape)
            row[: wave.numel()] = wave
        frames = self._frames(lengths)
        # one mask of samples for FunASR, one of frames for the convolutions and the mean
        mask, self._padded = _behind(lengths).to(self._device), _behind(frames).to(self._device)
        features = self._model.extract_features(batch.to(self._device), padding_mask=mask)["x"]
        mean = features.masked_fill(self._padded[..., None], 0.0).sum(1) / frames.to(self._device)[:, None]
        logits: torch.Tensor = self._model.proj(mean)[:, self._used]
        return logits.cpu().double().softmax(-1)

    def _frames(self, lengths: torch.Tensor) -> torch.Tensor:
        """Return how many frames of 20 ms the convolutions make of this many samples."""
        for _, kernel, stride in self._encoder.feature_enc_layers:
            lengths = (lengths - kernel) // stride + 1
        return lengths

    def _zero_padding(self, module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        # input of a convolution: clips x channels x frames
        return (inputs[0].masked_fill(self._padded[:, None], 0.0),)


def _shared(bias: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Wrap `bias`, the attention bias of distances: compute it for one clip and share it across the batch.

    FunASR keeps one for the most clips and the longest clip seen so far: gigabytes after many short clips and one long
    one, though it is the same for every clip.
    """
    return lambda batch_size, **rest: bias(batch_size=1, **rest).expand(batch_size, -1, -1, -1)


def _behind(lengths: torch.Tensor) -> torch.Tensor:
    """Return the mask of the padding: row i is true from lengths[i] on; shape (n, longest)."""
    return torch.arange(int(lengths.max()))[None] >= lengths[:, None]
