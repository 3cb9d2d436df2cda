"""What tracks say, laid out as the feature maps of an appearance backbone are.

Shapes:  B clips   N tracks   T frames   M moments   P * P cells   C channels
"""

import torch
from torch import Tensor


def pool_on_grid(
    features: Tensor, place: Tensor, visible: Tensor, *, moments: int = 8, cells: int = 4
) -> tuple[Tensor, Tensor]:
    """Mean of features (B, N, T, C) in each cell of the frame and each part of the time.

    place (B, N, T, 2) is (x, y) from the frame's top left corner as shares of its sides; what is
    outside of 0 to 1, or not visible (B, N, T), is left out. Gives maps (B, M, P * P, C), cells row
    by row and 0 where nothing was, and how many samples were in each (B, M, P * P).
    """
    batch, _, frames, channels = features.shape
    cell = (place * cells).floor().long()
    counts = visible & ((cell >= 0) & (cell < cells)).all(-1)
    moment = torch.arange(frames, device=place.device) * moments // frames
    clip = torch.arange(batch, device=place.device)[:, None, None]
    slot = ((clip * moments + moment) * cells + cell[..., 1]) * cells + cell[..., 0]
    sums = features.new_zeros(batch * moments * cells**2, channels + 1)
    ones = torch.ones_like(features[..., :1])
    sums = sums.index_add(0, slot[counts], torch.cat([features, ones], -1)[counts])
    sums = sums.view(batch, moments, cells**2, channels + 1)
    number = sums[..., -1]
    return sums[..., :-1] / number.clamp(min=1)[..., None], number
