"""A clip as networks take it that see pixels and motion: small squares, and how they move.

A frame is seen whole, whatever its shape: what is not square is squeezed, and so is its motion.

Shapes:  T frames   S pixels a side   s = S / CELL cells of motion a side
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.motion.base import MotionSource

FRAMES = 12  # that a clip is best sampled to: four a second of what lasts three
SIDE = 64  # S
CELL = 2  # pixels
_SEARCHED = 128  # pixels a side where motion is searched for; small things are lost in less


@dataclass(frozen=True, slots=True, kw_only=True)
class Squares:
    """A clip, small."""

    frames: NDArray[np.uint8]  # (T, S, S, 3) RGB
    motion: NDArray[np.float32]  # (4, T, s, s) in pixels of the square, see `MotionSource`


def squares(clip: Clip, source: MotionSource) -> Squares:
    """All frames of a clip, and its motion as `source` finds it."""
    large = replace(clip, frames=_resized(clip.frames, _SEARCHED))
    motion = source.motion(large)
    cells = SIDE // CELL
    block = _SEARCHED // cells
    pooled = motion.reshape(*motion.shape[:2], cells, block, cells, block).mean((3, 5))
    return Squares(
        frames=_resized(large.frames, SIDE),
        motion=pooled * np.float32(SIDE / _SEARCHED),
    )


def _resized(frames: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    import cv2

    return np.stack(
        [cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames]
    ).astype(np.uint8)
