"""The seam for how the pixels of a clip move.

Shapes:  T frames   H, W pixels
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip


class MotionSource(Protocol):
    def motion(self, clip: Clip) -> NDArray[np.float32]:
        """Motion (4, T, H, W) in pixels of the clip, finite everywhere.

        Channels: (x, y) from each pixel to where it is in the next frame, then to where it was in
        the frame before; x right, y down. 0 where there is no such frame.
        """
        ...
