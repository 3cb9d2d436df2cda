"""Video Depth Anything small with the weights that the reference outputs were made with.

29 million weights cannot lie in the repository; they are made again by the formula of the README
beside the reference outputs.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch

from pointaction.depth.video_depth_anything import VideoDepthNetwork, video_depth_anything_small
from tests.formulas import fill

GOLDEN = Path(__file__).parents[4] / "shared" / "golden"  # whole outputs, where they are at hand
DATA = Path(__file__).parents[2] / "data"  # samples of them


@cache
def filled() -> VideoDepthNetwork:
    """The network with its weights filled in; shared by the tests, which do not change it."""
    network = video_depth_anything_small()
    fill(network, scale)
    return network.eval()


def scale(name: str, shape: torch.Size) -> tuple[float, float]:
    """Offset and scale of a parameter's values."""
    special = {
        "pretrained.cls_token": (0.0, 0.5),
        "pretrained.mask_token": (0.0, 0.5),
        "pretrained.pos_embed": (0.0, 0.3),
        "head.scratch.output_conv2.2.bias": (4.0, 0.0),
    }
    if name in special:
        return special[name]
    if name.endswith(".gamma"):
        return 1.0, 0.2
    if name.endswith(".weight") and len(shape) == 1:  # of norms, which alone have such weights
        return 1.0, 0.1
    if len(shape) == 1:
        return 0.0, 0.1
    transposed = name in {"head.resize_layers.0.weight", "head.resize_layers.1.weight"}
    inputs = shape[0] if transposed else np.prod(shape[1:])
    return 0.0, float(np.sqrt(3 / inputs))
