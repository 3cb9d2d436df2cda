"""Draw where in the pixels a model found its answer: maps as colour over the dimmed clip.

Shapes:  T frames   F maps   h, w cells   H, W pixels of the clip   A, B pixels of the drawing
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError
from pointaction.explain.canvas import Image, canvas_size, dimmed, display_weights, laid_over
from pointaction.explain.colours import heat
from pointaction.explain.sheet import write_drawings

_OPACITY = 0.7  # of the warmest cell; the coldest are clear


def draw_heat(frames: NDArray[np.uint8], maps: NDArray[np.floating]) -> Iterator[Image]:
    """Draw T pictures (A, B, 3), one after the other, from frames (T, H, W, 3) RGB.

    maps (F, h, w), any scale, are evenly spread over the clip; each frame has the nearest one.
    Raises InputError on wrong shapes.
    """
    if maps.ndim != 3 or 0 in maps.shape or not np.isfinite(maps).all():
        raise InputError(f"maps must be finite numbers (F, h, w), got shape {maps.shape}")
    if frames.ndim != 4:
        raise InputError(f"a clip must be (T, H, W, 3), got {frames.shape}")
    return _drawn(frames, display_weights(maps))


def write_heat(
    path: Path,
    frames: NDArray[np.uint8],
    times: NDArray[np.floating],
    maps: NDArray[np.floating],
    *,
    format: str,
) -> None:
    """Write the drawings of `draw_heat` at times (T,) as `write_drawings` does."""
    write_drawings(path, draw_heat(frames, maps), times, format=format)


def _drawn(frames: NDArray[np.uint8], weights: NDArray[np.float32]) -> Iterator[Image]:
    canvas = canvas_size((frames.shape[1], frames.shape[2]))
    nearest = np.linspace(0, len(weights) - 1, len(frames)).round().astype(int)
    for frame, number in zip(frames, nearest, strict=True):
        # Cells are areas: their values hold at their middles and run into each other between.
        weight = cv2.resize(weights[number], canvas[::-1], interpolation=cv2.INTER_LINEAR)
        opacity = _OPACITY * weight[..., None]
        layer = np.concatenate([heat(weight) * opacity, 255 * opacity], -1).round().astype(np.uint8)
        yield laid_over(dimmed(frame, canvas), layer)
