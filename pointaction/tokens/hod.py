"""Histograms of oriented displacements: which way a point went, and how far.

M. A. Gowayed et al., "Histogram of Oriented Displacements" (IJCAI 2013), one row per frame, as
Trokens has it (P. Kumar et al., ICCV 2025, "Intra-trajectory motion module"). Add the rows up for
the histogram of a whole track.

Shapes:  T frames   K bins
"""

import torch
from torch import Tensor
from torch.nn.functional import pad


def oriented_displacements(
    xy: Tensor, *, bins: int = 32, delta: int = 1, as_released: bool = False
) -> Tensor:
    """Rows (..., T, K) of tracks xy (..., T, 2): the displacement since `delta` frames before.

    Bin k stands for the direction -pi + k * 2 pi / K, with x to the right and y down. The length
    of a displacement is shared by the two bins nearest to its direction, the nearer one getting
    more; a row adds up to that length, in the units of xy. The first `delta` rows are 0.

    The released code gives each of the two bins the other one's share, so that what goes exactly
    in a bin's direction lands in the next one, and for delta > 1 looks one frame too far back;
    `as_released` does so too.
    """
    step = _since_released(xy, delta) if as_released and delta > 1 else _since(xy, delta)
    length = step.norm(dim=-1)
    position = (torch.atan2(step[..., 1], step[..., 0]) / torch.pi + 1) / 2 * bins
    before = position.floor()
    after_share = position - before
    if as_released:
        after_share = 1 - after_share
    lower = before.long() % bins
    two = torch.stack([lower, (lower + 1) % bins], -1)
    shares = torch.stack([length * (1 - after_share), length * after_share], -1)
    return shares.new_zeros(*length.shape, bins).scatter_add(-1, two, shares)


def pyramid(rows: Tensor, *, levels: int = 3) -> Tensor:
    """Histograms of the whole, its halves, its quarters and so on: (..., (2**levels - 1) * K).

    rows (..., T, K) are `oriented_displacements`; T must be a multiple of 2**(levels - 1).
    """
    sums = [rows.unflatten(-2, (2**level, -1)).sum(-2) for level in range(levels)]
    return torch.cat(sums, -2).flatten(-2)


def _since(xy: Tensor, delta: int) -> Tensor:
    return pad(xy[..., delta:, :] - xy[..., :-delta, :], (0, 0, delta, 0))


def _since_released(xy: Tensor, delta: int) -> Tensor:
    """From the first frame up to row `delta`; then what the row before should have had."""
    first = xy[..., : delta + 1, :] - xy[..., :1, :]
    return torch.cat([first, xy[..., delta:-1, :] - xy[..., : -delta - 1, :]], -2)
