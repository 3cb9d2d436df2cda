"""Motion of every pixel from that of some points.

Between points it is filled in by pull and push (S. Gortler et al., "The Lumigraph", 1996): means
over ever larger cells, and wherever a cell has no point of its own, that of the larger one.

Shapes:  N tracks   T frames   H, W pixels   h, w cells
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from pointaction.clip import Clip
from pointaction.tracks import Tracks

CELL = 4  # pixels a side; points are seldom nearer to each other


@dataclass(frozen=True)
class MotionFromTracks:
    """A `MotionSource`: whatever follows points, and what lies between them."""

    follow: Callable[[Clip], Tracks]

    def motion(self, clip: Clip) -> NDArray[np.float32]:
        """Motion (4, T, H, W), see `MotionSource`."""
        return densify(self.follow(clip))


def densify(tracks: Tracks) -> NDArray[np.float32]:
    """Motion (4, T, H, W) from tracks, see `MotionSource`; 0 where none is seen in both frames."""
    xy = torch.from_numpy(tracks.xy).float().transpose(0, 1)  # (T, N, 2)
    seen = torch.from_numpy(tracks.visible).transpose(0, 1)
    step, both = xy[1:] - xy[:-1], seen[1:] & seen[:-1]
    still = xy.new_zeros(1, 2, *tracks.size)
    ahead = torch.cat([_filled(xy[:-1], step, both, tracks.size), still])
    behind = torch.cat([still, _filled(xy[1:], -step, both, tracks.size)])
    return torch.cat([ahead, behind], 1).transpose(0, 1).contiguous().numpy()


def _filled(xy: Tensor, step: Tensor, seen: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (T, 2, H, W) of steps (T, N, 2) that were made at xy (T, N, 2) where `seen` (T, N)."""
    height, width = (-(-side // CELL) for side in size)
    column = ((xy[..., 0] + 0.5) / CELL).floor().long().clamp(0, width - 1)
    row = ((xy[..., 1] + 0.5) / CELL).floor().long().clamp(0, height - 1)
    told = torch.cat([step, torch.ones_like(step[..., :1])], -1) * seen[..., None]
    cells = told.new_zeros(len(xy), height * width, 3)
    cells.scatter_add_(1, (row * width + column)[..., None].expand(-1, -1, 3), told)
    maps = _pull_push(cells.transpose(1, 2).unflatten(-1, (height, width)))
    whole = interpolate(maps, scale_factor=CELL, mode="bilinear", align_corners=False)
    return whole[..., : size[0], : size[1]]


def _pull_push(sums: Tensor) -> Tensor:
    """Means (T, 2, h, w) of sums of two values and their count, (T, 3, h, w)."""
    mean = sums[:, :2] / sums[:, 2:].clamp(min=1)
    height, width = sums.shape[-2:]
    if height == width == 1:
        return mean
    pooled = avg_pool2d(pad(sums, (0, width % 2, 0, height % 2)), 2) * 4
    coarser = interpolate(_pull_push(pooled), scale_factor=2, mode="bilinear", align_corners=False)
    return torch.where(sums[:, 2:] > 0, mean, coarser[..., :height, :width])
