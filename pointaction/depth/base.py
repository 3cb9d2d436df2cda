"""The seam for depth."""

from typing import Protocol

from pointaction.clip import Clip
from pointaction.tracks import Tracks


class Lifter(Protocol):
    def lift(self, clip: Clip, tracks: Tracks) -> Tracks:
        """The tracks of this clip with depth: relative, larger is farther."""
        ...
