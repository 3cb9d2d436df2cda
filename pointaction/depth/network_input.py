"""Frames as the Depth Anything networks want them.

The rule is theirs: the shorter side at least `input_size`, both sides multiples of 14, a smaller
size for long pictures, cubic interpolation, ImageNet's mean and deviation taken out. PyTorch's
bicubic resize is the one they use (OpenCV's: the same kernel, the same borders, no antialiasing),
and runs where the network runs.

Shapes:  F frames   H, W pixels of the frames   h, w pixels of the network
"""

import math

from torch import Tensor
from torch.nn.functional import interpolate

from pointaction.models.dinov2 import DEVIATION, MEAN, PATCH

INPUT_SIZE = 518  # the short side that the networks were trained on
_LONG = 1.78  # longer pictures than 16:9 get a smaller size, or they would not fit in memory


def network_size(size: tuple[int, int], input_size: int = INPUT_SIZE) -> tuple[int, int]:
    """(height, width) at which frames of `size` (height, width) enter the network."""
    ratio = max(size) / min(size)
    if ratio > _LONG:
        input_size = max(1, round(int(input_size * 1.777 / ratio) / PATCH)) * PATCH
    scale = input_size / min(size)
    height, width = (_in_patches(side * scale, at_least=input_size) for side in size)
    return height, width


def _in_patches(side: float, *, at_least: int) -> int:
    nearest = round(side / PATCH) * PATCH
    return nearest if nearest >= at_least else math.ceil(side / PATCH) * PATCH


def network_input(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (F, 3, h, w) of `size` (h, w) from frames (F, H, W, 3) in 0..255."""
    pictures = frames.permute(0, 3, 1, 2).float() / 255
    pictures = interpolate(pictures, size, mode="bicubic", align_corners=False)
    mean, deviation = (pictures.new_tensor(each)[:, None, None] for each in (MEAN, DEVIATION))
    return (pictures - mean) / deviation
