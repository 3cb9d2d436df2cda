"""The seam for point trackers."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.count import Count, uncounted
from pointaction.tracks import Tracks


class Tracker(Protocol):
    def track(
        self, clip: Clip, queries: NDArray[np.float32], *, count: Count = uncounted
    ) -> Tracks:
        """Follow queries (N, 3) of (frame, x, y) in pixels through all frames of the clip."""
        ...

    def expected_seconds(self, clip: Clip, queries: NDArray[np.float32]) -> float:
        """About how long `track` will take, from a little of the same work."""
        ...
