"""The seam for networks that have seen much, whose features a probe reads.

Beside `PatchFeatures`, which puts like patches near each other for choosing points, a backbone
gives everything it found, as tokens.

Shapes:  B clips   T frames   H, W pixels   S tokens   C width
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Features(NamedTuple):
    """What a backbone found in clips."""

    tokens: Tensor  # (B, S, C) float32
    time: Tensor  # (S,) int64, the step in time that each token is of: 0, 1, ...


class Backbone(Protocol):
    @property
    def name(self) -> str:
        """What kind it is: "dinov2", "vjepa2", ..."""
        ...

    @property
    def sha256(self) -> str:
        """Of the weights and whatever says how they are used."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of everything that its features depend on beside the clip."""
        ...

    @property
    def frames(self) -> int:
        """How many frames of a clip it looks at."""
        ...

    @property
    def timeless(self) -> bool:
        """Whether its tokens do not know their moment, so that a probe has to be told."""
        ...

    def features(self, clips: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Features:
        """What it finds in a clip (T, H, W, 3), RGB, or in several of any lengths and sizes.

        It looks at `frames` frames of each, evenly spread from the first to the last.
        """
        ...
