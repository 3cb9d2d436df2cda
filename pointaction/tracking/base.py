"""The seam for point trackers."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.tracks import Tracks


class Tracker(Protocol):
    def track(self, clip: Clip, queries: NDArray[np.float32]) -> Tracks:
        """Follow queries (N, 3) of (frame, x, y) in pixels through all frames of the clip."""
        ...
