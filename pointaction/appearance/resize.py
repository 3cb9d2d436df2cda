"""Resize pictures of bytes as Pillow does, to the bit and on any device.

The processors that backbones were trained with resize bytes with Pillow: every value is a weighted
sum of those around it, in whole numbers, rounded to a byte along the rows and again along the
columns; the weights reach further the more a picture shrinks. Floating point in one step differs
by up to a tenth of the range at edges, where cubic weights overshoot and are cut off in between.

PyTorch resizes bytes like that too, but on CPUs alone and in fewer bits: a value may differ by
one. Pillow 13 begins with the columns where the height shrinks much more than the width, as that
is faster; earlier releases, with which the models were trained, do not, and nor do we.

Shapes:  L values along an axis   M values wanted   K taps that each is summed from
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

_BITS = 22  # of the fraction: 8 more for a byte and 2 to spare make 32


def resized(pictures: Tensor, size: tuple[int, int], resample: str) -> Tensor:
    """Pictures (..., h, w) int32 in 0..255 of `size` (h, w), from bytes (..., H, W).

    resample is "bilinear" or "bicubic" (a = -1/2), both antialiased.
    """
    height, width = size
    columns = _along_first(pictures.movedim(-1, 0), width, resample)  # (w, ..., H)
    rows = _along_first(columns.movedim(-1, 0), height, resample)  # (h, w, ...)
    return rows.movedim((0, 1), (-2, -1))


def _along_first(values: Tensor, wanted: int, resample: str) -> Tensor:
    """(M, ...) from (L, ...): whole slices are summed, which is several times as fast as else."""
    length, *rest = values.shape
    slices = values.reshape(length, -1).int()
    first, weights = (each.to(values.device) for each in _taps(length, wanted, resample))
    total = slices.new_full((wanted, slices.shape[1]), 1 << (_BITS - 1))  # to round to nearest
    for tap in range(weights.shape[1]):
        at = (first + tap).clamp(max=length - 1)  # beyond the end a weight is 0
        total.addcmul_(slices.index_select(0, at), weights[:, tap, None])
    return (total >> _BITS).clamp(0, 255).view(wanted, *rest)


def _taps(length: int, wanted: int, resample: str) -> tuple[Tensor, Tensor]:
    """Where each of `wanted` values begins to read (M,), and its weights (M, K) int32."""
    reach, kernel = _KERNELS[resample]
    step = length / wanted
    wide = max(step, 1.0)
    centre = (torch.arange(wanted, dtype=torch.double) + 0.5) * step
    first = (centre - reach * wide + 0.5).clamp(min=0).long()
    end = (centre + reach * wide + 0.5).long().clamp(max=length)
    at = first[:, None] + torch.arange(2 * math.ceil(reach * wide) + 1)  # (M, K)
    weights = kernel(((at - centre[:, None] + 0.5) / wide).abs()) * (at < end[:, None])
    weights = weights / weights.sum(1, keepdim=True)
    # Half away from zero, as a cast in C after adding a half.
    whole = (weights.abs() * (1 << _BITS) + 0.5).floor() * weights.sign()
    return first, whole.int()


def _bilinear(far: Tensor) -> Tensor:
    return (1 - far).clamp(min=0)


def _bicubic(far: Tensor) -> Tensor:
    near = (1.5 * far - 2.5) * far * far + 1
    beyond = ((-0.5 * far + 2.5) * far - 4) * far + 2
    return torch.where(far < 1, near, torch.where(far < 2, beyond, 0.0))


_KERNELS: dict[str, tuple[float, Callable[[Tensor], Tensor]]] = {
    "bilinear": (1.0, _bilinear),
    "bicubic": (2.0, _bicubic),
}
