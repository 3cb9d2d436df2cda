"""The seam for whatever says what is done in windows.

Shapes:  n windows   C labels
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError
from pointaction.models.catalog import Entry
from pointaction.tracks import Tracks


def expect_tracks_alone(entry: Entry) -> None:
    """InputError for a model that looks at pixels."""
    if entry.looks:
        raise InputError(
            f"timelines are made of how points move, and {entry.name} looks at pixels; choose a "
            "model that takes tracks alone",
            value=entry.name,
        )


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
