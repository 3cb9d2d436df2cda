"""The seam for whatever says what is done in windows.

Shapes:  n windows   C labels
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pointaction.tracks import Tracks


class Scores(NamedTuple):
    shares: NDArray[np.float32]  # (n, C) of the labels; each row sums to 1
    none_of_these: NDArray[np.bool_] | None  # (n,) likely none of the labels; None: nobody knows


class Scorer(Protocol):
    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def frames(self) -> int:
        """Of a window."""
        ...

    def score(self, windows: Sequence[Tracks]) -> Scores:
        """Of windows with as many tracks of `frames` frames each, with depth or without."""
        ...
