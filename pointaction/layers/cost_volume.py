"""What each token has in common with its neighbours in the next frame.

As in optical flow: one affinity for each displacement, kept apart. EMIM turns the same numbers into
attention and into motion features ("A Renaissance of Explicit Motion Information Mining from
Transformers for Action Recognition", 2025).

Maps are compared as a whole and the neighbours picked from the result. On the maps of a
transformer, up to some 30 tokens a side, that is faster than copying each token's neighbours.

Shapes:  ... clips, frames, heads   P = h * w tokens   E channels   K = (2 * radius + 1) ** 2
"""

import torch
from torch import Tensor


class Neighbourhood:
    """The tokens at most `radius` away, on each axis, from each token of a map (h, w).

    Displacements go row by row: number k is (k // (2 r + 1) - r) down, (k % (2 r + 1) - r) across.
    """

    def __init__(self, size: tuple[int, int], radius: int, device: torch.device) -> None:
        height, width = size
        y = torch.arange(height, device=device).view(-1, 1, 1, 1)
        x = torch.arange(width, device=device).view(-1, 1, 1)
        away = torch.arange(-radius, radius + 1, device=device)
        down, across = y + away[:, None], x + away  # (h, 1, 2r+1, 1), (w, 1, 2r+1)
        exists = (down >= 0) & (down < height) & (across >= 0) & (across < width)
        token = down.clamp(0, height - 1) * width + across.clamp(0, width - 1)
        self.exists = exists.flatten(2).flatten(0, 1)  # (P, K)
        self.token = token.flatten(2).flatten(0, 1)  # (P, K) any token where there is none

    def affinity(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Products (..., P, K) of queries (..., P, E) and their neighbours among keys (..., P, E).

        Divided by the root of E; 0 where there is no neighbour.
        """
        everywhere = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5  # (..., P, P)
        return everywhere.gather(-1, self._of(everywhere)) * self.exists

    def read(self, affinity: Tensor, values: Tensor) -> Tensor:
        """The mean of the neighbours' values (..., P, E), weighted by softmax of the affinity."""
        share = affinity.masked_fill(~self.exists, -torch.inf).softmax(-1)
        everywhere = share.new_zeros(*share.shape[:-1], share.shape[-2])
        # Added, since tokens that stand for none have a share of 0 in one that may be real.
        return everywhere.scatter_add(-1, self._of(share), share) @ values

    def _of(self, tensor: Tensor) -> Tensor:
        return self.token.expand(*tensor.shape[:-2], -1, -1)


def next_frame(x: Tensor) -> Tensor:
    """What (B, T, ...) holds a frame later; to the last frame it is itself that comes next."""
    return torch.cat([x[:, 1:], x[:, -1:]], 1)
