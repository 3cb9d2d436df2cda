"""From a weight to a colour.

One scale for everything: it starts in a dim blue-violet, passes through magenta and orange and
ends in a pale yellow, and gets lighter all the way, so that it also reads in grey and with any
kind of colour vision. It does not start in black: the weakest point still shows on a black ground.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# (weight, red, green, blue); between the anchors colours are mixed in linear light.
_ANCHORS = (
    (0.00, 80, 76, 160),
    (0.20, 132, 80, 196),
    (0.40, 204, 76, 164),
    (0.60, 246, 108, 92),
    (0.80, 254, 168, 48),
    (1.00, 255, 244, 150),
)
_STEPS = 256
_GAMMA = 2.2


def heat(weights: NDArray[np.floating]) -> NDArray[np.uint8]:
    """RGB (..., 3) for weights (...) between 0 and 1; beyond, the ends of the scale."""
    index = np.clip(weights * (_STEPS - 1), 0, _STEPS - 1).round().astype(np.intp)
    return _table()[index]


@lru_cache(maxsize=1)
def _table() -> NDArray[np.uint8]:
    anchors = np.array(_ANCHORS)
    at = np.linspace(0, 1, _STEPS)
    linear = (anchors[:, 1:] / 255) ** _GAMMA
    mixed = np.stack([np.interp(at, anchors[:, 0], channel) for channel in linear.T], axis=-1)
    table: NDArray[np.uint8] = (mixed ** (1 / _GAMMA) * 255).round().astype(np.uint8)
    return table
