"""Coordinates as TrAction wants them (section 3, "Model architecture").

Shapes:  B clips   N tracks   T frames
"""

import torch
from torch import Tensor

DEPTH_FLOOR = 0.1


def normalise_depth(depth: Tensor, xy: Tensor) -> Tensor:
    """Shift and scale depth (B, N, T) per clip to mean 0 and the spread of xy (B, N, T, 2).

    Depth that varies by less than a tenth of its mean is not blown up to the full spread: the
    looming depth of a scene where nothing comes nearer is 1 plus noise, and only noise would be
    left of it (docs/decisions/0003-depth-floor.md). Depth with real relief is not affected.
    """
    spread = xy.flatten(1).std(dim=1)
    mean = depth.flatten(1).mean(dim=1)
    own = depth.flatten(1).std(dim=1)
    own = torch.maximum(own, DEPTH_FLOOR * mean.abs()).clamp(min=1e-6)
    return (depth - mean[:, None, None]) * (spread / own)[:, None, None]


def geometry(xy: Tensor, depth: Tensor) -> Tensor:
    """(B, N, T, 3): x and y divided by max(H, W), and the normalised depth.

    xy (B, N, T, 2) is in units of the longer side already, so that shapes keep their proportions.
    """
    return torch.cat([xy, normalise_depth(depth, xy)[..., None]], -1)
