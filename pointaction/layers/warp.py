"""Maps read where a motion leads, between pixels too.

Shapes:  N maps   C channels   H, W pixels
"""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def displaced(maps: Tensor, offset: Tensor) -> Tensor:
    """The maps (N, C, H, W) at each pixel plus its offset (N, 2, H, W): (x, y) in pixels.

    Bilinear; outside the picture the nearest pixel counts.
    """
    height, width = maps.shape[-2:]
    x = torch.arange(width, device=maps.device) + offset[:, 0]
    y = torch.arange(height, device=maps.device)[:, None] + offset[:, 1]
    # To torch the picture reaches from -1 to 1, outer edge to outer edge.
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    return grid_sample(
        maps, grid.to(maps.dtype), mode="bilinear", padding_mode="border", align_corners=False
    )


def inside(offset: Tensor) -> Tensor:
    """(N, H, W): whether a pixel plus its offset (N, 2, H, W) is in the picture."""
    height, width = offset.shape[-2:]
    x = torch.arange(width, device=offset.device) + offset[:, 0]
    y = torch.arange(height, device=offset.device)[:, None] + offset[:, 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
