"""Patch features of DINOv2, as Trokens uses them.

Shapes:  T frames   16 * 16 patches   D width
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.models.dinov2 import DEVIATION, MEAN, PATCH, DINOv2

_GRID = 16


@dataclass(frozen=True, kw_only=True)
class DINOv2Patches:
    network: DINOv2
    device: str = "cpu"
    batch: int = 8  # frames at a time

    def describe(self, clip: Clip) -> NDArray[np.float32]:
        """(T, 16, 16, D): the last layer's, normalised; frames become squares of 224 pixels."""
        side = _GRID * PATCH
        squares = [
            cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in clip.frames
        ]
        pictures = (np.stack(squares) / 255 - MEAN) / DEVIATION
        pixels = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2)
        last = self.network.config.layers - 1
        with torch.inference_mode():
            found = [
                self.network(part.to(self.device), (last,))[0].cpu()
                for part in pixels.split(self.batch)
            ]
        return torch.cat(found).unflatten(1, (_GRID, _GRID)).numpy()
