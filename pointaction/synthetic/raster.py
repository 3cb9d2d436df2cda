"""What every pixel of a frame sees: `scenes.look` for whole pictures, fast.

A part is asked only about the pixels of the rectangle around it, the room about all of them.

Shapes:  P parts   T frames   H, W pixels
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pointaction.synthetic.scenes import Scenes, Seen

Floats = NDArray[np.float32]
_NEAREST = 1e-3  # nothing is met nearer to the camera than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """One frame; see `scenes.Hits`."""

    layer: NDArray[np.intp]  # (H, W)
    depth: Floats  # (H, W)
    place: tuple[Floats, Floats, Floats]  # (H, W) each
    face: NDArray[np.intp]  # (H, W) 0 to 5: low and high end of x, of y, of z


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One part in one frame, and the pixels it may cover."""

    inward: NDArray[np.float64]  # (3, 3) as in `scenes.Seen`
    offset: NDArray[np.float64]  # (3,)
    rows: slice
    columns: slice
    box: bool


def size(scenes: Scenes, *, side: int) -> tuple[int, int]:
    """Height and width of the first scene's picture in pixels, both even."""
    width, height = (int(round(float(part) * side / 2)) * 2 for part in scenes.extent[0])
    return height, width


def rasterise(
    scenes: Scenes, row: int, *, side: int, kept: Sequence[int] | None = None
) -> Iterator[Raster]:
    """Scene number `row`, frame by frame, or only the frames `kept`; the longer side has `side`
    pixels.
    """
    one = scenes.only(row)
    height, width = size(one, side=side)
    seen = Seen.of(one)
    inward, offset = seen.inward[0].double().numpy(), seen.offset[0].double().numpy()
    box = one.box[0].numpy()
    present = one.present[0].numpy()
    focal = one.focal[0].double().numpy()
    rotation, eye = one.rotation[0].double().numpy(), one.eye[0].double().numpy()
    room = one.room[0].double().numpy()
    half_width, half_height = (0.5 * float(part) for part in one.extent[0])
    bounds = _bounds(seen, one)[0].double().numpy()  # (T, P, 4)
    middle = np.array([half_width, half_height] * 2)

    for time in range(one.frames) if kept is None else kept:
        x = ((np.arange(width) + 0.5) / side - half_width)[None, :] / focal[time]
        y = ((np.arange(height) + 0.5) / side - half_height)[:, None] / focal[time]
        depth, face = _walls(room, rotation[time], eye[time], x, y)
        layer = np.zeros((height, width), np.intp)
        # The centres of the pixels within; nothing is lost by one more on either side.
        pixels = (bounds[time] * focal[time] + middle) * side
        first = np.floor(pixels[:, :2] - 0.5).clip(0, (width, height)).astype(int)
        last = np.ceil(pixels[:, 2:] + 0.5).clip(0, (width, height)).astype(int)
        for part in np.flatnonzero(present & (last > first).all(1)):
            solid = _Part(
                inward=inward[time, part],
                offset=offset[time, part],
                rows=slice(first[part, 1], last[part, 1]),
                columns=slice(first[part, 0], last[part, 0]),
                box=bool(box[part]),
            )
            _cover(solid, x, y, depth, layer, int(part) + 1)

        maps = inward[time].astype(np.float32), offset[time].astype(np.float32)
        place = _places(rotation[time], eye[time], depth, x, y)
        _places_on_parts(*maps, layer, depth, x, y, place, face)
        yield Raster(layer=layer, depth=depth, place=place, face=face)


def _bounds(seen: Seen, scenes: Scenes) -> torch.Tensor:
    """(B, T, P, 4): least x, y, greatest x, y of each part in the plane at distance 1.

    The outline of the ellipsoid with axes A about c is the conic whose dual is A A^T - c c^T; a
    box lies within the ellipsoid of sqrt(3) times its half extents. What reaches the camera may
    be anywhere.
    """
    grown = torch.where(scenes.box, 3.0, 1.0)[:, None, :, None, None]
    spread = grown * seen.outward @ seen.outward.transpose(-1, -2)
    dual = spread - seen.centre[..., :, None] * seen.centre[..., None, :]
    across = dual[..., 2, 2]
    ahead = (across < -1e-6) & (seen.centre[..., 2] > 0)
    behind = (across < -1e-6) & (seen.centre[..., 2] < 0)
    low, high = [], []
    for axis in (0, 1):
        root = (dual[..., axis, 2].square() - dual[..., axis, axis] * across).clamp(min=0).sqrt()
        ends = torch.stack([dual[..., axis, 2] - root, dual[..., axis, 2] + root]) / across
        low.append(torch.where(ahead, ends.amin(0), -1e3))
        high.append(torch.where(ahead, ends.amax(0), 1e3))
    return torch.stack(low + high, -1).masked_fill(behind[..., None], -1e3)


def _walls(
    room: NDArray[np.float64],
    rotation: NDArray[np.float64],
    eye: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> tuple[Floats, NDArray[np.intp]]:
    """Depth and face of the wall that each pixel sees: on each axis the one ahead."""
    depth = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf, np.float32)
    face = np.zeros(depth.shape, np.intp)
    for axis in range(3):
        across = (rotation[0, axis] * x).astype(np.float32)
        heading = across + (rotation[1, axis] * y + rotation[2, axis]).astype(np.float32)
        low, high = (room[:, axis] - eye[axis]).astype(np.float32)
        ahead = heading > 0
        heading[heading == 0] = -1e-9
        away = np.where(ahead, high, low)
        away /= heading
        np.maximum(away, np.float32(_NEAREST), out=away)
        nearer = away < depth
        np.copyto(depth, away, where=nearer)
        np.copyto(face, 2 * axis + ahead, where=nearer)
    return depth, face


def _cover(
    part: _Part,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    depth: Floats,
    layer: NDArray[np.intp],
    number: int,
) -> None:
    """Put a part in front of what lies behind it; `depth` and `layer` change in place."""
    across, down = x[:, part.columns], y[part.rows]
    steps = _into_box(part, across, down) if part.box else _into_ellipsoid(part, across, down)
    window = depth[part.rows, part.columns]
    nearer = steps < window
    np.copyto(window, steps, where=nearer, casting="same_kind")
    np.copyto(layer[part.rows, part.columns], number, where=nearer)


def _into_ellipsoid(
    part: _Part, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Depth at which rays (x, y, 1) enter, infinite where they do not."""
    margin = part.offset @ part.offset - 1
    if margin <= 0:
        return np.full((1, 1), np.inf)
    a = part.inward.T @ part.inward
    b = part.inward.T @ part.offset
    along = b[0] * x + (b[1] * y + b[2])
    square = (a[0, 0] * x + 2 * a[0, 2]) * x + (a[1, 1] * y + 2 * a[1, 2]) * y + a[2, 2]
    square = square + (2 * a[0, 1] * x) * y
    inner = along * along - margin * square
    steps = (along - np.sqrt(np.maximum(inner, 0))) / square
    return np.where((inner > 0) & (steps > _NEAREST), steps, np.inf)


def _into_box(part: _Part, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth at which rays (x, y, 1) enter, infinite where they do not."""
    enter, leave = np.array(-np.inf), np.array(np.inf)
    for axis in range(3):
        way = part.inward[axis, 0] * x + (part.inward[axis, 1] * y + part.inward[axis, 2])
        inverse = 1 / np.where(np.abs(way) < 1e-9, 1e-9, way)
        middle, reach = part.offset[axis] * inverse, np.abs(inverse)
        enter, leave = np.maximum(enter, middle - reach), np.minimum(leave, middle + reach)
    return np.where((enter < leave) & (enter > _NEAREST), enter, np.inf)


def _places(
    rotation: NDArray[np.float64],
    eye: NDArray[np.float64],
    depth: Floats,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> tuple[Floats, Floats, Floats]:
    """Where in the world each pixel's point lies."""

    def along(axis: int) -> Floats:
        across = (rotation[0, axis] * x).astype(np.float32)
        down = (rotation[1, axis] * y + rotation[2, axis]).astype(np.float32)
        place = across + down
        place *= depth
        place += np.float32(eye[axis])
        return place

    return along(0), along(1), along(2)


def _places_on_parts(
    inward: Floats,
    offset: Floats,
    layer: NDArray[np.intp],
    depth: Floats,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    place: tuple[Floats, Floats, Floats],
    face: NDArray[np.intp],
) -> None:
    """Pixels on parts get places on their part, and the face where a coordinate is greatest.

    `inward` (P, 3, 3) and `offset` (P, 3) lead from the camera's axes to the part's own;
    `place` and `face` change in place.
    """
    where = np.flatnonzero(layer)
    part = layer.ravel()[where] - 1
    row, column = np.divmod(where, layer.shape[1])
    ahead = depth.ravel()[where]
    across = ahead * x[0].astype(np.float32)[column]
    down = ahead * y[:, 0].astype(np.float32)[row]
    greatest = np.zeros(len(where), np.float32)
    on_face = np.zeros(len(where), np.intp)
    for axis in range(3):
        own = inward[part, axis, 0] * across
        own += inward[part, axis, 1] * down
        own += inward[part, axis, 2] * ahead
        own -= offset[part, axis]
        place[axis].ravel()[where] = own
        length = np.abs(own)
        farther = length > greatest
        np.copyto(greatest, length, where=farther)
        np.copyto(on_face, 2 * axis + (own > 0), where=farther)
    face.ravel()[where] = on_face
