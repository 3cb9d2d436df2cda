"""The seam for depth."""

from typing import Protocol

from pointaction.clip import Clip
from pointaction.count import Count, uncounted
from pointaction.tracks import Tracks


class Lifter(Protocol):
    def lift(self, clip: Clip, tracks: Tracks, *, count: Count = uncounted) -> Tracks:
        """The tracks of this clip with depth: relative, larger is farther."""
        ...

    def expected_seconds(self, clip: Clip) -> float:
        """About how long `lift` will take, from a little of the same work."""
        ...
