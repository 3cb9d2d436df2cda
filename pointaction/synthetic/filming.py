"""Scenes as a clip of them would reach us: drawn, and brought to the size of decoded clips."""

import numpy as np
from numpy.typing import NDArray
from torch import Generator

from pointaction.clip import Clip
from pointaction.synthetic.render import render
from pointaction.synthetic.scenes import Scenes

SIDE = 320  # pixels of a picture's longer side as it is drawn
SECONDS = 3.0
_SHORT_SIDE = 256  # what clips are decoded to for the default tracker


def film(
    scenes: Scenes,
    row: int,
    *,
    generator: Generator,
    side: int = SIDE,
    kept: NDArray[np.intp] | None = None,
) -> Clip:
    """Scene number `row` as a clip of 3 seconds; of its frames only those `kept`, if given."""
    chosen = None if kept is None else kept.tolist()
    drawn = render(scenes, row, side=side, generator=generator, kept=chosen)
    return Clip.from_frames(_as_decoded(drawn), fps=len(drawn) / SECONDS)


def _as_decoded(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The frames (T, H, W, 3) at the size that the decoder gives to every clip."""
    import cv2

    height, width = frames.shape[1:3]
    scale = _SHORT_SIDE / min(height, width)
    size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, size, interpolation=how) for frame in frames]).astype(
        np.uint8
    )
