"""What a model says of a clip, whichever it is, and the seam for models that can be asked.

Shapes:  H heads   N tracks   T frames   h, w cells of a map
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pointaction.clip import Clip
from pointaction.errors import DamagedWeights
from pointaction.models.catalog import Entry
from pointaction.stages import Report, silent
from pointaction.tracks import Tracks


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What a model made of a clip."""

    scores: dict[str, float]  # every label, best first; they sum to 1
    none_of_these: bool | None  # whether it is likely none of the labels; None: not calibrated
    attention: NDArray[np.float32]
    """Each head's sums to 1: (H, N) of tracks, or (H, T, h, w) of pixels, the frames of which are
    evenly spread from the clip's first to its last."""
    tracks: Tracks | None  # with depth; None of a model that looks at pixels alone
    branches: Mapping[str, dict[str, float]] = field(default_factory=dict)
    """Of a model of several branches, the scores of each alone."""


class AnyRecogniser(Protocol):
    """A model of the store, opened once and asked often."""

    @property
    def entry(self) -> Entry: ...

    def recognise(
        self, tracks: Tracks | None, clip: Clip | None = None, *, report: Report = silent
    ) -> Recognition:
        """`tracks` where the entry `follows`, of any N and T; `clip` where it `looks`."""
        ...


def expect_classes(entry: Entry, classes: int) -> None:
    """DamagedWeights where a network tells other than as many classes as the entry has labels."""
    if classes != len(entry.labels):
        raise DamagedWeights(
            f"{entry.name} tells {classes} classes, and the catalogue has {len(entry.labels)} "
            "labels for it; fetch the model store again"
        )


def ranked(labels: Sequence[str], shares: Tensor) -> dict[str, float]:
    """Labels with their shares (C,), the best first."""
    pairs = zip(labels, shares.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: -pair[1]))
