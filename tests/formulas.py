"""What reference outputs were made from, given by formula.

The formulas are those of the README beside the reference outputs. Millions of weights cannot lie in
the repository; so they are made again, in a second or two, and never change.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def unit(count: int, number: int) -> NDArray[np.float64]:
    """`count` scattered values in -1 to 1, other ones for each `number`."""
    x = np.arange(count, dtype=np.uint32) + np.uint32((number + 1) * 0x9E3779B9 % 2**32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x / 2.0**31 - 1


def fill(model: nn.Module, scale: Callable[[str, torch.Size], tuple[float, float]]) -> None:
    """Give every parameter its values; `scale` tells the offset and the scale of each, by name."""
    for number, (name, parameter) in enumerate(sorted(model.named_parameters())):
        offset, factor = scale(name, parameter.shape)
        values = offset + factor * unit(parameter.numel(), number)
        parameter.data = torch.from_numpy(values.astype(np.float32)).view(parameter.shape)


def film(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Two crossed waves that drift by (1.5, 0.75) pixels per frame: (T, 3, H, W)."""
    t, c, y, x = np.ogrid[:frames, :3, :height, :width]
    x, y = x - 1.5 * t, y - 0.75 * t
    value = (
        127.5
        + 60 * np.sin(0.35 * x + 0.11 * y + c)
        + 60 * np.cos(0.07 * x - 0.27 * y + 0.5 * c + 0.004 * x * y)
    )
    return np.floor(0.5 + value).astype(np.uint8)
