"""Where each track is as seen from others.

Trokens, "Inter-trajectory motion module": every track's displacement to every other, frame by
frame. Its cost grows with the square of the number of tracks; a fixed number of anchors, far apart
from each other, makes it linear (docs/decisions/0018-anchors.md).

Shapes:  B clips   N tracks   T frames   A anchors
"""

import torch
from torch import Tensor

from pointaction.tokens.farthest import farthest


def relative_displacements(xy: Tensor, visible: Tensor, anchors: Tensor) -> Tensor:
    """(B, N, T, 2 * A): xy (B, N, T, 2) as seen from the tracks `anchors` (B, A), x and y in turn.

    It is 0 in frames in which the track or the anchor is not visible (B, N, T).
    """
    clip = torch.arange(len(xy), device=xy.device)[:, None]
    offset = xy[:, :, None] - xy[clip, anchors][:, None]  # (B, N, A, T, 2)
    both = visible[:, :, None] & visible[clip, anchors][:, None]
    return (offset * both[..., None]).permute(0, 1, 3, 2, 4).flatten(-2)


def in_order(xy: Tensor) -> Tensor:
    """All tracks (B, N) as anchors, in the order in which they are stored: the released code's."""
    return torch.arange(xy.shape[1], device=xy.device).expand(len(xy), -1)


def farthest_tracks(xy: Tensor, count: int, present: Tensor | None = None) -> Tensor:
    """`count` tracks (B, A) of xy (B, N, T, 2) as `farthest` chooses: far apart over time.

    Where present (B, N) is False there is no track.
    """
    return farthest(xy.flatten(2), count, present)
