"""On the path of a trainer's environment on a machine without CUDA: torchvision's binaries do not load there.

Qwen-Omni's processors import torchvision, which needs two operators declared; nothing here calls them.
"""

import contextlib

with contextlib.suppress(ImportError):
    import torch

    for _name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{_name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
