"""What goes into a network that looks at pixels, and what comes out.

Shapes:  B clips   T frames   H, W pixels   A heads   h, w cells of a map
"""

from typing import NamedTuple

from torch import Tensor

_MEAN, _DEVIATION = 0.45, 0.225  # of RGB in 0..1, about those of any film


class Recognised(NamedTuple):
    """Answers, and where in the clips they come from."""

    logits: Tensor  # (B, classes)
    maps: Tensor  # (B, A, T, h, w) at least 0; each head's sum to 1


def normalised(clip: Tensor) -> Tensor:
    """Clips (B, 3, T, H, W) of RGB in 0..1, brought to about mean 0 and deviation 1."""
    return (clip - _MEAN) / _DEVIATION
