"""What a clip's tracks were, out of the planes of a store: one pass of compiled code.

numpy needs a dozen passes over numbers that lie in the cache already, which takes longer than to
unpack them (docs/decisions/0056-one-compiled-pass.md). Here every track is followed through its
frames, and all that is told of it is written where it belongs.

Shapes:  N tracks   T frames   K frames of tracks that are written, N T at most
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import MissingExtra

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

STEPS = 32  # to a pixel
SURE = 255  # a confidence of 1
MIDDLE = 128  # changes are about 0, and so made to lie about the middle of a byte

_PIXELS = np.float32(1 / STEPS)
_SHARE = np.float32(1 / SURE)
_SINGLE = np.float32(2.0**112)  # how far the exponents of half and single precision are apart
_ENDLESS = 0x7C00  # the exponent of half precision that stands for no number


class Positions(NamedTuple):
    """x and y in `STEPS`, and where to write them in pixels."""

    low: Bytes  # (K, 2) of their changes
    high: Bytes
    drift: Bytes  # (2, T, 2) to be added to all changes of a frame, low and high bytes
    first: Bytes  # (2, N, 2) before all changes
    xy: Floats  # (N, T, 2)


class Confidence(NamedTuple):
    """Confidence in `SURE`, 0 where there is none, and where to write it."""

    share: Bytes  # (K,)
    confidence: Floats  # (N, T)


class Depth(NamedTuple):
    """Bits of depth in half precision, and where to write it."""

    low: Bytes  # (K,) of their changes
    high: Bytes
    first: Bytes  # (2, N) before all changes
    scale: np.float32  # to be multiplied by
    depth: Floats  # (N, T)


def restore(
    written: Bytes,
    positions: Positions | None = None,
    confidence: Confidence | None = None,
    depth: Depth | None = None,
) -> bool:
    """Fill what is asked for; whether every depth is a number, if only before its scale.

    written (T, N) is 1 where the planes tell something, frame by frame. Where they do not, nothing
    changes. All sums wrap round, as the differences did.
    """
    told: bool = _compiled(_follow)(written, positions, confidence, depth)
    return told


def stand(xy: Floats, when: NDArray[np.integer[Any]], query: Floats) -> None:
    """Write into query (N, 3) where the tracks xy (N, T, 2) are in the frames `when` (N,)."""
    _compiled(_stand)(xy, when, query)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Machine code, kept on the disk where there is a place for it: it takes seconds to make."""
    try:
        from numba import njit
    except ImportError as missing:
        raise MissingExtra("a store of tracks", extra="store") from missing
    try:
        made: Callable[..., Any] = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # there is none, as in a container that may not write
        made = njit(nogil=True)(function)
    return made


def _follow(
    written: Bytes,
    positions: Positions | None,
    confidence: Confidence | None,
    depth: Depth | None,
) -> bool:
    """As `restore`, in the Python that becomes machine code; parts that are None become none."""
    frames, count = written.shape
    drift = np.zeros((frames, 2), np.int32)
    if positions is not None:
        drift += positions.drift[0]
        drift += positions.drift[1].astype(np.int32) << 8
        drift -= MIDDLE
    upcoming = np.zeros(frames, np.uintp)  # what each frame tells next; a sign would cost a tenth
    for frame in range(1, frames):
        upcoming[frame] = upcoming[frame - 1] + np.uintp(written[frame - 1].sum())
    x = y = bits = largest = np.int32(0)
    for track in range(count):
        if positions is not None:
            first = positions.first
            x = np.int32(first[0, track, 0]) + (np.int32(first[1, track, 0]) << 8)
            y = np.int32(first[0, track, 1]) + (np.int32(first[1, track, 1]) << 8)
        if depth is not None:
            bits = np.int32(depth.first[0, track]) + (np.int32(depth.first[1, track]) << 8)
        for frame in range(frames):
            share = np.uint8(0)
            if written[frame, track]:
                at = upcoming[frame]
                upcoming[frame] = at + np.uintp(1)
                if positions is not None:
                    low, high = positions.low, positions.high
                    x += np.int32(low[at, 0]) + (np.int32(high[at, 0]) << 8) + drift[frame, 0]
                    y += np.int32(low[at, 1]) + (np.int32(high[at, 1]) << 8) + drift[frame, 1]
                if confidence is not None:
                    share = confidence.share[at]
                if depth is not None:
                    bits += np.int32(depth.low[at]) + (np.int32(depth.high[at]) << 8) - MIDDLE
            if positions is not None:
                positions.xy[track, frame, 0] = np.int16(x) * _PIXELS
                positions.xy[track, frame, 1] = np.int16(y) * _PIXELS
            if confidence is not None:
                confidence.confidence[track, frame] = share * _SHARE
            if depth is not None:
                size = np.int32(bits & 0x7FFF)
                largest = max(largest, size)
                single = np.int32(size << 13 | (bits & 0x8000) << 16)
                depth.depth[track, frame] = single.view(np.float32) * _SINGLE * depth.scale
    return bool(largest < _ENDLESS)


def _stand(xy: Floats, when: NDArray[np.integer[Any]], query: Floats) -> None:
    count, frames = xy.shape[:2]
    for track in range(count):
        frame = max(0, min(when[track], frames - 1))  # nothing here checks where it reads
        query[track, 1] = xy[track, frame, 0]
        query[track, 2] = xy[track, frame, 1]
