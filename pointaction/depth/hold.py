"""Values of points that are not always seen."""

import torch
from torch import Tensor


def hold(value: Tensor, known: Tensor) -> Tensor:
    """Where a value (..., T) is unknown, the last known one; before the first, the first."""
    frames = value.shape[-1]
    time = torch.arange(frames, device=value.device)
    last = torch.where(known, time, -1).cummax(-1).values
    first = torch.where(known, time, frames).amin(-1, keepdim=True)
    source = torch.where(last < 0, first, last)
    held = value.gather(-1, source.clamp(max=frames - 1))
    return torch.where(known.any(-1, keepdim=True), held, torch.zeros_like(held))
