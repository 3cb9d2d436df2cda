"""The seam for what a clip looks like, patch by patch.

Shapes:  T frames   g * g patches   C values
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip


class PatchFeatures(Protocol):
    def describe(self, clip: Clip) -> NDArray[np.float32]:
        """Features (T, g, g, C) of every frame, whatever its proportions, row by row.

        Patches that look alike are near each other, by Euclidean distance.
        """
        ...
