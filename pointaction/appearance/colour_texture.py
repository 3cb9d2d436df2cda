"""Patch features without a network: colour, and how strong edges are in which direction.

A small object has features of its own if its colour or its texture has. The texture is that of
N. Dalal and B. Triggs, "Histograms of Oriented Gradients" (2005), but not normalised: where there
is nothing to see, the directions of noise must not count.

Shapes:  T frames   g * g patches   K directions
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip

_CELL = 16  # pixels a side that a patch is brought to
_DIRECTIONS = 8  # of an edge, 0 to 180 degrees
_COLOUR, _EDGE = 20.0, 5.0  # Lab units that are told apart at a glance; slopes per pixel likewise


@dataclass(frozen=True)
class ColourTexture:
    grid: int = 16

    def describe(self, clip: Clip) -> NDArray[np.float32]:
        """(T, g, g, 11): mean Lab colour, and the mean slope of lightness in 8 directions."""
        return np.stack([self._frame(frame) for frame in clip.frames])

    def _frame(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        side = self.grid * _CELL
        small = cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        dx, dy = (
            cv2.Sobel(lab[..., 0], cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1))
        )
        # An edge and the same one from dark to bright have one direction.
        direction = (np.arctan2(dy, dx) / np.pi * _DIRECTIONS).round().astype(int) % _DIRECTIONS
        slopes = np.hypot(dx, dy)[..., None] * (direction[..., None] == np.arange(_DIRECTIONS))
        told = np.concatenate([lab / _COLOUR, slopes / _EDGE], -1)
        cells = told.reshape(self.grid, _CELL, self.grid, _CELL, -1)
        return cells.mean((1, 3), dtype=np.float32)
