"""What a model is trained on, wherever it comes from: the procedural world or a user's clips."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B clips of N tracks and T frames."""

    geometry: Tensor  # (B, N, T, 3)
    visible: Tensor  # (B, N, T) bool
    present: Tensor  # (B, N) bool
    label: Tensor  # (B,) index into the labels; -1 for a motion without a name
    group: Tensor | None = None  # (B,) clips with the same number show the same motion

    def to(self, device: torch.device) -> "Batch":
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        return Batch(**{name: part.to(device) for name, part in parts.items() if part is not None})
