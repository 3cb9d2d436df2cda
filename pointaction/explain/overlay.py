"""Draw tracks on the clip they come from, with each track's weight as its colour and size.

Shapes:  T frames   N tracks   H, W pixels of the clip   A, B pixels of the drawing

Everything drawn goes into one layer of colour times opacity, from old to new and from light to
heavy, and that layer is laid over a dimmed picture. So a trail fades without darkening what is
under it, and the heaviest points always lie on top.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError
from pointaction.explain.canvas import (
    SHORT_SIDE,
    Image,
    Layer,
    canvas_size,
    dimmed,
    display_weights,
    laid_over,
)
from pointaction.explain.colours import heat
from pointaction.explain.sheet import write_drawings
from pointaction.tracks import Tracks

_Ink = tuple[float, ...]  # one pixel of a layer

_MOST_DRAWN = 2500  # tracks; beyond that a picture is a carpet, and takes as long as one
_LEVELS = 12  # of weight: trails of one level are drawn at once, which is what makes it fast
_SUBPIXEL_BITS = 4
_HEAVY = 0.5  # display weight from which a point gets a rim,
_RIM: _Ink = (6, 4, 10, 160)  # nearly black, so that it also stands out on white paper


def draw_overlay(
    frames: NDArray[np.uint8] | None,
    tracks: Tracks,
    weights: NDArray[np.floating],
    *,
    trail: int = 8,
) -> Iterator[Image]:
    """Draw T pictures (A, B, 3), one after the other.

    `frames` (T, H, W, 3) RGB, or None for a black ground; `weights` (N,), any scale. Each visible
    point is a dot that trails its last `trail` frames. A and B are even, with a short side of at
    least 480 pixels unless the clip is very long and thin. Raises InputError on wrong shapes.
    """
    count, length = tracks.xy.shape[:2]
    if weights.shape != (count,) or not np.isfinite(weights).all():
        raise InputError(f"weights must be {count} finite numbers, got shape {weights.shape}")
    if frames is not None and (frames.ndim != 4 or len(frames) != length):
        raise InputError(f"the tracks have {length} frames, the clip is {frames.shape}")
    return _drawn(frames, tracks, weights, trail)


def write_overlay(
    path: Path,
    frames: NDArray[np.uint8] | None,
    tracks: Tracks,
    weights: NDArray[np.floating],
    *,
    format: str,
) -> None:
    """Write the drawings of `draw_overlay` as `write_drawings` does."""
    write_drawings(path, draw_overlay(frames, tracks, weights), tracks.times, format=format)


def _drawn(
    frames: NDArray[np.uint8] | None,
    tracks: Tracks,
    weights: NDArray[np.floating],
    trail: int,
) -> Iterator[Image]:
    canvas = canvas_size(tracks.size)
    points = _Points.on_canvas(tracks, display_weights(weights), canvas)
    for t in range(tracks.xy.shape[1]):
        ground = np.zeros((*canvas, 3), np.uint8)
        if frames is not None:
            ground = dimmed(frames[t], canvas)
        layer = np.zeros((*canvas, 4), np.uint8)
        _draw_trails(layer, points, t, trail)
        _draw_dots(layer, points, t)
        yield laid_over(ground, layer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """Tracks ready to draw, lightest first, in fixed-point pixels of the canvas."""

    xy: NDArray[np.int32]  # (N, T, 2)
    visible: NDArray[np.bool_]  # (N, T)
    weight: list[float]  # (N,) 0 to 1, rising
    level: NDArray[np.intp]  # (N,) 0 to _LEVELS - 1, rising
    ink: list[_Ink]  # (N,) of the dots
    unit: float  # canvas pixels that a stroke of width 1 has on a 480-pixel canvas

    @classmethod
    def on_canvas(
        cls, tracks: Tracks, weights: NDArray[np.float32], canvas: tuple[int, int]
    ) -> "_Points":
        order = np.argsort(weights, kind="stable")[-_MOST_DRAWN:]
        scale = np.array([canvas[1] / tracks.size[1], canvas[0] / tracks.size[0]])
        xy = (tracks.xy[order] + 0.5) * scale - 0.5  # pixel centres lie at integers
        far = 4 * max(canvas)  # what lies further out is out of sight, and must not overflow
        fixed = np.clip(xy, -far, far) * (1 << _SUBPIXEL_BITS)
        rising = weights[order]
        return cls(
            xy=fixed.round().astype(np.int32),
            visible=tracks.visible[order],
            weight=rising.tolist(),
            level=(rising * (_LEVELS - 1)).round().astype(np.intp),
            ink=_inks(rising, 0.5 + 0.5 * rising),
            unit=min(canvas) / SHORT_SIDE,
        )


def _inks(weights: NDArray[np.floating], opacity: NDArray[np.floating]) -> list[_Ink]:
    """Colour times opacity, and opacity, of each of K strokes: (K,), (K,) -> K x (r, g, b, a)."""
    opaque = np.concatenate([heat(weights), np.full((len(weights), 1), 255)], axis=-1)
    return [tuple(ink) for ink in (opaque * opacity[:, None]).tolist()]


def _draw_trails(layer: Layer, points: _Points, t: int, trail: int) -> None:
    levels = np.linspace(0, 1, _LEVELS)
    alive = points.visible[:, t]  # a trail without its point would lead nowhere
    for age in range(min(trail, t), 0, -1):  # the oldest piece first
        end = t - age + 1
        seen = alive & points.visible[:, end - 1] & points.visible[:, end]
        youth = 1 - (age - 0.5) / trail
        # A fading trail also cools a little: pale yellow alone would fade to olive.
        inks = _inks(levels * (0.75 + 0.25 * youth), (0.2 + 0.7 * levels) * youth**1.3)
        widths = points.unit * (1 + 2.6 * levels) * (0.4 + 0.6 * youth)
        for level in np.unique(points.level[seen]):
            pieces = points.xy[seen & (points.level == level), end - 1 : end + 1]
            cv2.polylines(
                layer,
                list(pieces[:, :, None]),
                False,
                inks[level],
                max(1, round(widths[level])),
                cv2.LINE_AA,
                _SUBPIXEL_BITS,
            )


def _draw_dots(layer: Layer, points: _Points, t: int) -> None:
    for i in np.flatnonzero(points.visible[:, t]).tolist():
        weight = points.weight[i]
        centre = points.xy[i, t].tolist()
        radius = points.unit * (1.7 + 3.8 * weight)
        if weight >= _HEAVY:
            _draw_disc(layer, centre, radius + 1.4 * points.unit, _RIM)
        _draw_disc(layer, centre, radius, points.ink[i])


def _draw_disc(layer: Layer, centre: list[int], radius: float, ink: _Ink) -> None:
    fixed = round(radius * (1 << _SUBPIXEL_BITS))
    cv2.circle(layer, centre, fixed, ink, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
