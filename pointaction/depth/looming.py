"""Relative depth from looming: what grows comes nearer. No network, no weights.

A small patch of a surface at distance z is seen at a scale proportional to 1/z. The tracks around
a point sample that patch, so that the change of their distances to it is the change of 1/z. Only
the change is knowable: every track's depth has geometric mean 1 over the frames that show it.

The same function serves training and serving, on tensors of any device.

Shapes:  B clips   N tracks   T frames   K neighbours
"""

import torch
from torch import Tensor

from pointaction.depth.hold import hold

NEIGHBOURS = 8
_SAMPLES = 8  # frames looked at to find who moves together
_SELDOM = 0.1  # a pair seen once counts as this squared distance farther apart
_BASELINE = 0.01  # distances below a hundredth of the longer side say little about scale


def looming(xy: Tensor, visible: Tensor) -> Tensor:
    """Relative depth (B, N, T), larger is farther, from xy (B, N, T, 2) and visible (B, N, T).

    xy is in units of the longer side. Tracks without neighbours get depth 1 throughout.
    """
    neighbours = _companions(xy, visible)  # (B, N, K)
    rows = torch.arange(len(xy), device=xy.device)[:, None, None]
    offset = xy[rows, neighbours] - xy[:, :, None]  # (B, N, K, T, 2)
    together = (visible[rows, neighbours] & visible[:, :, None]).to(xy.dtype)

    # Per pair: the logarithm of its distance against its own mean over the frames that show both.
    log = 0.5 * (offset.square().sum(-1) + _BASELINE**2).log()
    shown = together.sum(-1, keepdim=True)
    mean = (log * together).sum(-1, keepdim=True) / shown.clamp(min=1)
    growth = (log - mean).clamp(-1.5, 1.5)
    # Wide pairs measure scale better than narrow ones, long-lived better than short-lived.
    weight = together * (mean.exp() * (shown > 1))
    total = weight.sum(2)
    scale = (growth * weight).sum(2) / total.clamp(min=1e-6)  # (B, N, T)
    return (-hold(scale, visible & (total > 1e-6))).exp()


def _companions(xy: Tensor, visible: Tensor) -> Tensor:
    """The K tracks (B, N, K) that stay nearest to each, by their mean squared distance over time.

    Neighbours in one frame may lie on another body; those that stay near move with it.
    """
    count, frames = xy.shape[1:3]
    when = torch.linspace(0, frames - 1, _SAMPLES, device=xy.device).round().long()
    shown = visible[:, :, when].to(xy.dtype)  # (B, N, S)
    # About the picture's middle the squares stay small, and with them their rounding.
    place = (xy[:, :, when] - 0.5) * shown[..., None]  # (B, N, S, 2)
    square = place.square().sum(-1)
    # |a - b|^2 = |a|^2 + |b|^2 - 2 a b, summed over the samples that show both: one product.
    one = torch.cat([square, shown, place.flatten(2)], -1)
    other = torch.cat([shown, square, -2 * place.flatten(2)], -1)
    cost = one @ other.transpose(1, 2)
    # Pairs that are seldom seen together are only taken when there is nobody nearer.
    cost += _SELDOM
    cost /= (shown @ shown.transpose(1, 2)).clamp_(min=1e-3)
    cost.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    return cost.topk(min(NEIGHBOURS, count - 1), largest=False, sorted=False).indices
