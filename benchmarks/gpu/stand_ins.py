"""What CosyVoice imports and the scripts here need not: a hub's client; and torchaudio's `load`, which asks for
torchcodec."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any


def put() -> None:
    """Stand in for those of them that are not installed."""
    import soundfile
    import torch
    import torchaudio

    if "modelscope" not in sys.modules and importlib.util.find_spec("modelscope") is None:
        sys.modules["modelscope"] = types.SimpleNamespace(snapshot_download=None)  # type: ignore[assignment]

    def load(file: str, **_: Any) -> tuple[Any, int]:
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        return torch.from_numpy(samples.T.copy()), rate

    if importlib.util.find_spec("torchcodec") is None:
        torchaudio.load = load
