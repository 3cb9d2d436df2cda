"""Drawings of a clip, frame by frame, as a video or as one picture.

Shapes:  T frames   A, B pixels of the drawing
"""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError
from pointaction.explain.canvas import Image, write_on, write_png
from pointaction.explain.colours import heat
from pointaction.video.encode import encode_mp4

_SLOWEST_FPS, _FASTEST_FPS = 8.0, 60.0  # of the video; long clips are shown as time lapse
_TILE_WIDTH, _GAP, _FOOTER = 400, 8, 32  # of the contact sheet, in pixels
_PAPER = (18, 18, 22)


def write_drawings(
    path: Path, drawings: Iterable[Image], times: NDArray[np.floating], *, format: str
) -> None:
    """Write T drawings at times (T,), seconds: "mp4", at the clip's pace, or "png", a sheet.

    Raises InputError for another format.
    """
    if format == "png":
        write_png(contact_sheet(drawings, times), path)
    elif format == "mp4":
        pace = (len(times) - 1) / max(float(times[-1] - times[0]), 1e-6)
        fps = min(max(pace, _SLOWEST_FPS), _FASTEST_FPS)
        encode_mp4(iter(drawings), fps=fps, path=path)
    else:
        raise InputError(f"an overlay is mp4 or png, not {format!r}", kind="unknown-format")


def contact_sheet(
    drawings: Iterable[Image],
    times: NDArray[np.floating],
    *,
    columns: int = 4,
    rows: int = 2,
) -> Image:
    """One picture (H, W, 3) of columns x rows of T drawings, evenly spread over the clip.

    Each carries its time; a bar below shows which colour means how much weight.
    """
    shown = np.linspace(0, len(times) - 1, columns * rows).round().astype(int).tolist()
    tiles: dict[int, Image] = {}
    for t, drawing in enumerate(drawings):
        if t in shown:
            tile = _thumbnail(drawing)
            write_on(tile, f"{times[t] - times[0]:.1f} s", (10, tile.shape[0] - 12))
            tiles[t] = tile
    height, width = tiles[0].shape[:2]
    sheet = np.full(
        (rows * (height + _GAP) + _GAP + _FOOTER, columns * (width + _GAP) + _GAP, 3),
        _PAPER,
        np.uint8,
    )
    for place, t in enumerate(shown):
        top = _GAP + place // columns * (height + _GAP)
        left = _GAP + place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = tiles[t]
    _draw_scale(sheet[-_FOOTER:])
    return sheet


def _thumbnail(image: Image) -> Image:
    scale = _TILE_WIDTH / image.shape[1]
    size = (_TILE_WIDTH, max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _draw_scale(strip: Image) -> None:
    height, width = strip.shape[:2]
    length, thickness = min(220, width // 3), 8
    left, top = (width - length) // 2, (height - thickness) // 2 - _GAP // 2
    strip[top : top + thickness, left : left + length] = heat(np.linspace(0, 1, length))
    write_on(strip, "little", (left - 50, top + thickness + 1))
    write_on(strip, "much weight", (left + length + 10, top + thickness + 1))
