"""The torch device, as a setting of engines."""

from __future__ import annotations

from ieat_data.engines.batching import one_line
from ieat_data.errors import UserError


def check(device: str) -> None:
    """Check that torch can use `device` (`cuda:0`, `cpu`).

    Raises:
        UserError: it cannot.
    """
    import torch

    try:
        torch.empty(1, device=device)
    except Exception as e:  # the type differs by kind of device
        raise UserError(f"setting `device`: {device!r} cannot be used, try cuda:0 or cpu: {one_line(e)}") from None


def keep_float32() -> None:
    """Make cuDNN convolve float32 as float32, in this process.

    By default torch lets it round the factors to 10 bits (TF32). Measured at full width (docs/gpu-runs.md): emotion
    scores then differ from the CPU's by 1e-4 instead of 6e-7, and 0.2 % of the speech tokens change.
    """
    import torch

    torch.backends.cudnn.allow_tf32 = False
