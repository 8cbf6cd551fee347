"""Where torch computes, as a setting of the engines that leave it to the user."""

from __future__ import annotations

from ieat_data.engines.batching import one_line
from ieat_data.errors import UserError


def check(device: str) -> None:
    """Raises UserError where torch cannot use `device` (`cuda:0`, `cpu`)."""
    import torch

    try:
        torch.empty(1, device=device)
    except Exception as e:  # another one for each kind of device
        raise UserError(f"setting `device`: {device!r} cannot be used, try cuda:0 or cpu: {one_line(e)}") from None
