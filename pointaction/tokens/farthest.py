"""A few of many points, none of them near another.

T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance" (1985).

Shapes:  B sets   N points of D coordinates
"""

import torch
from torch import Tensor


def farthest(points: Tensor, count: int, present: Tensor | None = None) -> Tensor:
    """Indices (B, count) of points (B, N, D), the same points in the same order however stored.

    The first is the one nearest to the mean of all; each next one is farthest from those chosen.
    Where present (B, N) is False there is no point. Where there are fewer than `count`, some come
    again.
    """
    if present is None:
        present = torch.ones_like(points[..., 0], dtype=torch.bool)
    weight = present[..., None].to(points.dtype)
    middle = (points * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
    absent = ~present
    chosen = _squares(points, middle).masked_fill(absent, torch.inf).argmin(1)
    row = torch.arange(len(points), device=points.device)
    order, far = [chosen], torch.full_like(points[..., 0], torch.inf)
    for _ in range(count - 1):
        far = torch.minimum(far, _squares(points, points[row, chosen][:, None]))
        chosen = far.masked_fill(absent, -1).argmax(1)
        order.append(chosen)
    return torch.stack(order, 1)


def _squares(points: Tensor, other: Tensor) -> Tensor:
    return (points - other).square().sum(-1)
