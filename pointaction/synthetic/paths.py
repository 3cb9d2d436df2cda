"""Paths in the plane of the picture, as curves sampled at a constant speed.

Shapes:  n paths   K corners   S samples; x right, y down
"""

import torch
from torch import Tensor

from pointaction.synthetic.score import SAMPLES


def polyline(corners: Tensor, *, smooth: Tensor | None = None) -> Tensor:
    """Through corners (n, K, D) at constant speed, (n, S, D).

    `smooth` (n,) from 0 to 1 rounds the corners off by averaging over up to a fifth of the way.
    """
    steps = (corners[:, 1:] - corners[:, :-1]).norm(dim=-1)  # (n, K - 1)
    travelled = torch.cat([torch.zeros_like(steps[:, :1]), steps.cumsum(1)], 1)
    total = travelled[:, -1:].clamp(min=1e-6)
    wanted = torch.linspace(0, 1, SAMPLES).expand(len(corners), -1) * total
    leg = torch.searchsorted(travelled.contiguous(), wanted.contiguous(), right=True) - 1
    leg = leg.clamp(0, corners.shape[1] - 2)
    share = (wanted - travelled.gather(1, leg)) / steps.gather(1, leg).clamp(min=1e-6)
    axes = corners.shape[-1]
    start = corners.gather(1, leg[..., None].expand(-1, -1, axes))
    end = corners.gather(1, (leg + 1)[..., None].expand(-1, -1, axes))
    path = start + (end - start) * share.clamp(0, 1)[..., None]
    return path if smooth is None else _rounded(path, smooth)


def arc(start: Tensor, sweep: Tensor, *, aspect: Tensor | float = 1.0) -> Tensor:
    """(n, S, 2) on a unit circle from the angle `start` (n, 1) through `sweep` (n, 1) radians.

    Angles begin at the right and grow clockwise; `aspect` squeezes the circle vertically.
    """
    angle = start + sweep * torch.linspace(0, 1, SAMPLES)
    return torch.stack([angle.cos(), angle.sin() * aspect], -1)


def shape(corners: list[tuple[float, float]], count: int) -> Tensor:
    """A drawn shape's corners as (n, K, 2), the same for all."""
    return torch.tensor(corners).expand(count, -1, -1)


STAR = [(-0.59, 0.81), (0.0, -1.0), (0.59, 0.81), (-0.95, -0.31), (0.95, -0.31), (-0.59, 0.81)]
TRIANGLE = [(0.0, -1.0), (0.87, 0.7), (-0.87, 0.7), (0.0, -1.0)]
SQUARE = [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8), (-0.8, -0.8)]
TICK = [(-0.8, 0.1), (-0.2, 0.8), (0.9, -0.8)]


def _rounded(path: Tensor, smooth: Tensor) -> Tensor:
    """Mix each path with its average over a window, ends kept in place."""
    reach = SAMPLES // 10
    padded = torch.cat(
        [path[:, :1].expand(-1, reach, -1), path, path[:, -1:].expand(-1, reach, -1)], 1
    )
    mean = padded.unfold(1, 2 * reach + 1, 1).mean(-1)
    return path + smooth[:, None, None] * (mean - path)
