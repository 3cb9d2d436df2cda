"""Motion of every pixel by dense inverse search. No weights.

T. Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (ECCV 2016), as OpenCV has it.

Shapes:  T frames   H, W pixels
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip

_SMALLEST = 32  # pixels a side; OpenCV reads beyond its memory where a picture is smaller


@dataclass(frozen=True, kw_only=True)
class DenseInverseSearch:
    """A `MotionSource`. preset: OpenCV's, from ultra fast to medium."""

    preset: int = cv2.DISOPTICAL_FLOW_PRESET_FAST

    def motion(self, clip: Clip) -> NDArray[np.float32]:
        """Motion (4, T, H, W), see `MotionSource`."""
        height, width = clip.size
        greys = [_grey(frame) for frame in clip.frames]
        search = cv2.DISOpticalFlow.create(self.preset)
        found = np.zeros((len(greys), height, width, 4), np.float32)
        for first in range(len(greys) - 1):
            here, there = greys[first], greys[first + 1]
            found[first, ..., :2] = _flow(search, here, there)[:height, :width]
            found[first + 1, ..., 2:] = _flow(search, there, here)[:height, :width]
        return np.ascontiguousarray(found.transpose(3, 0, 1, 2))


def _flow(
    search: cv2.DISOpticalFlow, here: cv2.typing.MatLike, there: cv2.typing.MatLike
) -> cv2.typing.MatLike:
    return search.calc(here, there, None)  # type: ignore[call-overload]  # no first guess


def _grey(frame: NDArray[np.uint8]) -> cv2.typing.MatLike:
    """Large enough for OpenCV: what lacks is filled up with the last pixels."""
    height, width = frame.shape[:2]
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    lower, right = max(_SMALLEST - height, 0), max(_SMALLEST - width, 0)
    return cv2.copyMakeBorder(grey, 0, lower, 0, right, cv2.BORDER_REPLICATE)
