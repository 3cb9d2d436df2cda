"""Tracks in the units of tokens and of looming.

Shapes:  N tracks   T frames
"""

import numpy as np
import torch
from torch import Tensor

from pointaction.tracks import Tracks


def to_units(tracks: Tracks) -> tuple[Tensor, Tensor]:
    """xy (1, N, T, 2) from the frame's corner in units of its longer side; visible (1, N, T)."""
    xy = torch.from_numpy(np.ascontiguousarray(tracks.xy)) + 0.5  # pixel centres are integers
    return (xy / max(tracks.size))[None], torch.from_numpy(tracks.visible.copy())[None]
