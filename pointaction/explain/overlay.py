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
from pointaction.explain.colours import heat
from pointaction.tracks import Tracks
from pointaction.video.encode import encode_mp4

Image = NDArray[np.uint8]  # (A, B, 3) RGB
Layer = NDArray[np.uint8]  # (A, B, 4) colour times opacity, and opacity
_Ink = tuple[float, ...]  # one pixel of a layer

_SHORT_SIDE, _LONG_SIDE = 480, 1280  # at least, at most, where both are possible
_MOST_DRAWN = 2500  # tracks; beyond that a picture is a carpet, and takes as long as one
_LEVELS = 12  # of weight: trails of one level are drawn at once, which is what makes it fast
_SUBPIXEL_BITS = 4
_BRIGHTNESS, _SATURATION = 0.66, 0.4  # of the dimmed picture
_HEAVY = 0.5  # display weight from which a point gets a rim,
_RIM: _Ink = (6, 4, 10, 160)  # nearly black, so that it also stands out on white paper
_SLOWEST_FPS, _FASTEST_FPS = 8.0, 60.0  # of the video; long clips are shown as time lapse
_TILE_WIDTH, _GAP, _FOOTER = 400, 8, 32  # of the contact sheet, in pixels
_PAPER = (18, 18, 22)
_MIN_CONTRAST = 0.5  # of the mean weight; smaller differences are not blown up to full colour


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


def contact_sheet(
    frames: NDArray[np.uint8] | None,
    tracks: Tracks,
    weights: NDArray[np.floating],
    *,
    columns: int = 4,
    rows: int = 2,
) -> Image:
    """One picture (H, W, 3) of columns x rows drawings, evenly spread over the clip.

    Each carries its time; a bar below shows which colour means how much weight. The arguments are
    those of `draw_overlay`.
    """
    length = tracks.xy.shape[1]
    shown = np.linspace(0, length - 1, columns * rows).round().astype(int).tolist()
    tiles: dict[int, Image] = {}
    for t, image in enumerate(draw_overlay(frames, tracks, weights)):
        if t in shown:
            tile = _thumbnail(image)
            _write(tile, f"{tracks.times[t] - tracks.times[0]:.1f} s", (10, tile.shape[0] - 12))
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


def write_overlay(
    path: Path,
    frames: NDArray[np.uint8] | None,
    tracks: Tracks,
    weights: NDArray[np.floating],
    *,
    format: str,
) -> None:
    """Write the overlay as `format`: "mp4", at the clip's own pace, or "png", a contact sheet.

    The other arguments are those of `draw_overlay`. Raises InputError for another format.
    """
    if format == "png":
        write_png(contact_sheet(frames, tracks, weights), path)
    elif format == "mp4":
        pace = (tracks.xy.shape[1] - 1) / tracks.duration_s
        fps = min(max(pace, _SLOWEST_FPS), _FASTEST_FPS)
        encode_mp4(draw_overlay(frames, tracks, weights), fps=fps, path=path)
    else:
        raise InputError(f"an overlay is mp4 or png, not {format!r}", kind="unknown-format")


def write_png(image: Image, path: Path) -> None:
    """Write an RGB picture (H, W, 3)."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise InputError(f"a picture of shape {image.shape} cannot be written as png")
    path.write_bytes(data.tobytes())


def display_weights(weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Weights (N,) spread over 0..1 for the eye: the strongest hundredth saturates.

    Weights that hardly differ stay cold together, so that a model that looks everywhere is not
    shown as one that has made up its mind.
    """
    low, high = np.percentile(weights, (10, 99))
    contrast = max(high - low, _MIN_CONTRAST * float(np.abs(weights).mean()), 1e-12)
    spread = np.clip((weights - low) / contrast, 0, 1) ** 0.7
    return spread.astype(np.float32)


def _drawn(
    frames: NDArray[np.uint8] | None,
    tracks: Tracks,
    weights: NDArray[np.floating],
    trail: int,
) -> Iterator[Image]:
    canvas = _canvas_size(tracks.size)
    points = _Points.on_canvas(tracks, display_weights(weights), canvas)
    for t in range(tracks.xy.shape[1]):
        ground = np.zeros((*canvas, 3), np.uint8)
        if frames is not None:
            ground = _dimmed(frames[t], canvas)
        layer = np.zeros((*canvas, 4), np.uint8)
        _draw_trails(layer, points, t, trail)
        _draw_dots(layer, points, t)
        yield _laid_over(ground, layer)


def _canvas_size(size: tuple[int, int]) -> tuple[int, int]:
    """(A, B) for a clip of (H, W)."""
    scale = min(max(1.0, _SHORT_SIDE / min(size)), _LONG_SIDE / max(size))
    height, width = (max(2, 2 * round(side * scale / 2)) for side in size)
    return height, width


def _dimmed(frame: Image, canvas: tuple[int, int]) -> Image:
    grey = np.full((3, 3), 1 / 3) * (1 - _SATURATION)
    mix = _BRIGHTNESS * (grey + _SATURATION * np.eye(3))
    dim = cv2.transform(frame, mix)
    return np.asarray(cv2.resize(dim, canvas[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


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
            unit=min(canvas) / _SHORT_SIDE,
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


def _laid_over(ground: Image, layer: Layer) -> Image:
    """Colour times opacity (A, B, 4) over a picture (A, B, 3)."""
    through = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2BGR)
    behind = cv2.multiply(ground, through, scale=1 / 255)
    return np.asarray(cv2.add(behind, cv2.cvtColor(layer, cv2.COLOR_BGRA2BGR)), np.uint8)


def _thumbnail(image: Image) -> Image:
    scale = _TILE_WIDTH / image.shape[1]
    size = (_TILE_WIDTH, max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _write(image: Image, text: str, at: tuple[int, int]) -> None:
    """Small light letters with a dark rim: legible on any picture."""
    for colour, width in (((0, 0, 0), 3), ((235, 235, 235), 1)):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)


def _draw_scale(strip: Image) -> None:
    height, width = strip.shape[:2]
    length, thickness = min(220, width // 3), 8
    left, top = (width - length) // 2, (height - thickness) // 2 - _GAP // 2
    strip[top : top + thickness, left : left + length] = heat(np.linspace(0, 1, length))
    _write(strip, "little", (left - 50, top + thickness + 1))
    _write(strip, "much weight", (left + length + 10, top + thickness + 1))
