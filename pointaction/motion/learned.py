"""Motion of every pixel by a network that has learned it.

Shapes:  T frames   H, W pixels
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.models.motionnet import MotionNet


@dataclass(frozen=True)
class LearnedMotion:
    """A `MotionSource`."""

    network: MotionNet

    def motion(self, clip: Clip) -> NDArray[np.float32]:
        """Motion (4, T, H, W), see `MotionSource`."""
        device = next(self.network.parameters()).device
        frames = torch.from_numpy(clip.frames).to(device).permute(3, 0, 1, 2)[None] / 255
        with torch.inference_mode():
            found: NDArray[np.float32] = self.network.motion(frames)[0].cpu().numpy()
        return found
