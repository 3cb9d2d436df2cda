"""What all drawings on a clip have in common: their size, the dimmed picture below, and letters.

Shapes:  H, W pixels of the clip   A, B pixels of the drawing
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError

Image = NDArray[np.uint8]  # (A, B, 3) RGB
Layer = NDArray[np.uint8]  # (A, B, 4) colour times opacity, and opacity

SHORT_SIDE, LONG_SIDE = 480, 1280  # at least, at most, where both are possible
_BRIGHTNESS, _SATURATION = 0.66, 0.4  # of the dimmed picture
_MIN_CONTRAST = 0.5  # of the mean weight; smaller differences are not blown up to full colour


def canvas_size(size: tuple[int, int]) -> tuple[int, int]:
    """(A, B), both even, for a clip of (H, W)."""
    scale = min(max(1.0, SHORT_SIDE / min(size)), LONG_SIDE / max(size))
    height, width = (max(2, 2 * round(side * scale / 2)) for side in size)
    return height, width


def dimmed(frame: Image, canvas: tuple[int, int]) -> Image:
    """A frame as the ground of a drawing."""
    grey = np.full((3, 3), 1 / 3) * (1 - _SATURATION)
    mix = _BRIGHTNESS * (grey + _SATURATION * np.eye(3))
    dim = cv2.transform(frame, mix)
    return np.asarray(cv2.resize(dim, canvas[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def laid_over(ground: Image, layer: Layer) -> Image:
    """Colour times opacity (A, B, 4) over a picture (A, B, 3)."""
    through = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2BGR)
    behind = cv2.multiply(ground, through, scale=1 / 255)
    return np.asarray(cv2.add(behind, cv2.cvtColor(layer, cv2.COLOR_BGRA2BGR)), np.uint8)


def display_weights(weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Weights of any shape spread over 0..1 for the eye: the strongest hundredth saturates.

    Weights that hardly differ stay cold together, so that a model that looks everywhere is not
    shown as one that has made up its mind.
    """
    low, high = np.percentile(weights, (10, 99))
    contrast = max(high - low, _MIN_CONTRAST * float(np.abs(weights).mean()), 1e-12)
    spread = np.clip((weights - low) / contrast, 0, 1) ** 0.7
    return spread.astype(np.float32)


def write_on(image: Image, text: str, at: tuple[int, int]) -> None:
    """Small light letters with a dark rim: legible on any picture."""
    for colour, width in (((0, 0, 0), 3), ((235, 235, 235), 1)):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)


def write_png(image: Image, path: Path) -> None:
    """Write an RGB picture (H, W, 3)."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise InputError(f"a picture of shape {image.shape} cannot be written as png")
    path.write_bytes(data.tobytes())
