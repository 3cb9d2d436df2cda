"""One clip's tracks in few bytes.

Positions are kept to 1/32 of a pixel, confidence in 8 bits, depth in half precision; all else as
it is. Of a position there is written how it differs from the frame before, less what most points
did in that frame, and of a depth how its half-precision bits differ. Trackers and lifters hold what
they do not see, so that as a rule nothing changes where a point is hidden: then only the visible
frames are written. Low bytes and high bytes, and all that is alike otherwise, are a plane each,
which zstd packs.

    header   magic, version, flags, N, T, height, width, exponent of depth, lengths of the planes
    planes   in the order of `_PLANES`, a zstd frame each; of length 0: all zeros

Everything in a plane goes frame by frame. `restore` follows the tracks through them.

Shapes:  N tracks   T frames   K frames of tracks that are written, N T at most
"""

import math
import struct
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError, LimitExceeded, MissingExtra
from pointaction.tracks import MAX_FRAMES, MAX_SIDE, MAX_TRACKS, Tracks
from pointaction.trackstore.restore import (
    MIDDLE,
    STEPS,
    SURE,
    Bytes,
    Confidence,
    Depth,
    Positions,
    restore,
    stand,
)

MAGIC = b"PATr"
VERSION = 1

_PLANES = (
    "visible",  # (T, N) bits
    "first",  # (N, 2) positions in the first frame
    "drift",  # (T, 2) what is taken from the changes of each frame
    "low",  # (K, 2) of the changes of position
    "high",
    "far",  # (T, N, 2) positions in units of 2048 pixels, where 16 bits do not hold them
    "confidence",  # (K,)
    "first depth",  # (N,)
    "depth low",  # (K,) of the changes of depth
    "depth high",
    "start",  # (N,) frames in which tracks were started
    "off",  # (N, 2) how far their queries are from where the tracks are in these frames
    "times",  # (T,)
)
_HEADER = struct.Struct(f"<4sBBHHHHh{len(_PLANES)}I")
# Flags. Held: nothing changes where a point is hidden. Between: tracks start between frames.
_DEPTH, _HELD, _DEPTH_HELD, _CONFIDENCE_HELD, _BETWEEN = 1, 2, 4, 8, 16
_LARGEST = 127  # exponent of a float32
_SAFE = _LARGEST - 16  # of a depth: half precision ends below two to the 16th
_LEVEL = 15  # of zstd; there is little left to find above


def encode(tracks: Tracks) -> bytes:
    """Tracks as a store holds them. Equal tracks make equal bytes, by one release of zstd.

    Raises InputError for more than a store can hold, and for a confidence that is not 0 to 1.
    """
    _check(tracks)
    count, frames = tracks.visible.shape
    flags, exponent, planes = _taken_apart(tracks)
    packed = [_pack(planes[name]) if name in planes else b"" for name in _PLANES]
    header = _HEADER.pack(
        MAGIC, VERSION, flags, count, frames, *tracks.size, exponent, *map(len, packed)
    )
    return header + b"".join(packed)


def decode(data: bytes, *, depth: bool = True) -> Tracks:
    """What `encode` wrote. Raises InputError for other bytes, whatever they are.

    depth: whether it is wanted; for those who make their own it is quicker without.
    """
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise _unreadable("it begins otherwise")
    _, version, flags, count, frames, height, width, exponent, *lengths = _HEADER.unpack_from(data)
    if version != VERSION:
        raise InputError(
            f"stored tracks of version {version} is not {VERSION}, the one this release reads",
            kind="tracks-version",
            limit=VERSION,
            value=version,
        )
    if not 1 <= count <= MAX_TRACKS or not 2 <= frames <= MAX_FRAMES:
        raise _unreadable(f"it has {count} tracks of {frames} frames")
    if _HEADER.size + sum(lengths) != len(data):
        raise _unreadable(f"it has {len(data)} bytes, {_HEADER.size + sum(lengths)} are due")
    planes = _Planes(data, dict(zip(_PLANES, lengths, strict=True)))
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that were never written
        return _restored(planes, flags, count, frames, (height, width), exponent, depth=depth)


def sizes(data: bytes) -> dict[str, int]:
    """Bytes of each plane of what `encode` wrote, and of the header."""
    lengths = _HEADER.unpack_from(data)[-len(_PLANES) :]
    return {"header": _HEADER.size, **dict(zip(_PLANES, lengths, strict=True))}


def _taken_apart(tracks: Tracks) -> tuple[int, int, dict[str, NDArray[Any]]]:
    """Flags, the exponent of depth, and the planes that there are."""
    count, frames = tracks.visible.shape
    visible = np.ascontiguousarray(tracks.visible.T)  # (T, N)
    place = _on_grid(np.ascontiguousarray(tracks.xy.swapaxes(0, 1)))  # (T, N, 2)
    near = place.astype(np.int16)  # the rest is in `far`: sums of 16 bits wrap round and are right
    steps = np.diff(near, axis=0, prepend=near[:1])
    drift = _drift(steps, visible)
    held, written = _written(steps, visible)
    low, high = _two((steps - drift[:, None])[written])
    trust = np.rint(tracks.confidence.T * SURE).astype(np.uint8)
    certain, written = _written(trust, visible)
    when = tracks.query[:, 0]
    between = bool((when != np.rint(when)).any() or when.min() < 0 or when.max() >= 1 << 16)
    at = place[_frame(when, frames), np.arange(count)]
    planes: dict[str, NDArray[Any]] = {
        "visible": np.packbits(visible),
        "first": near[0],
        "drift": drift,
        "low": low,
        "high": high,
        "far": (place - near >> 16).astype(np.int8),
        "confidence": trust[written],
        "start": when.astype(np.float32 if between else np.uint16),
        "off": (_on_grid(tracks.query[:, 1:]) - at).astype(np.int32),
        "times": tracks.times.astype(np.float64),
    }
    flags = _HELD * held | _CONFIDENCE_HELD * certain | _BETWEEN * between
    if tracks.depth is None:
        return flags, 0, planes
    half, exponent = _halved(tracks.depth.T)
    steps = np.diff(half, axis=0, prepend=half[:1])
    held, written = _written(steps, visible)
    planes["first depth"] = half[0]
    planes["depth low"], planes["depth high"] = _two(steps[written])
    return flags | _DEPTH | _DEPTH_HELD * held, exponent, planes


def _restored(
    planes: "_Planes",
    flags: int,
    count: int,
    frames: int,
    size: tuple[int, int],
    exponent: int,
    *,
    depth: bool,
) -> Tracks:
    bits = planes.read("visible", np.uint8, -(-count * frames // 8))
    visible = np.unpackbits(bits, count=count * frames).reshape(frames, count)
    often = {True: int(np.count_nonzero(visible)), False: visible.size}
    told: dict[bool, dict[str, Any]] = {True: {}, False: {}}  # by whether it is held
    held = bool(flags & _HELD)
    told[held]["positions"] = positions = _positions(planes, often[held], count, frames)
    held = bool(flags & _CONFIDENCE_HELD)
    trust = planes.read("confidence", np.uint8, often[held])
    told[held]["confidence"] = confidence = Confidence(trust, _room(count, frames))
    deep = None
    if depth and flags & _DEPTH:
        held = bool(flags & _DEPTH_HELD)
        told[held]["depth"] = deep = _depth(planes, often[held], count, frames, exponent)
    numbers = True
    for held, parts in told.items():
        if parts:
            numbers &= restore(visible if held else np.ones_like(visible), **parts)
    xy = positions.xy
    if planes.lengths["far"]:
        far = planes.read("far", np.int8, 2 * count * frames).reshape(frames, count, 2)
        xy += far.swapaxes(0, 1) * np.float32((1 << 16) / STEPS)
    if deep and exponent == _LARGEST:  # half precision may have rounded the largest number up
        most = np.finfo(np.float32).max
        deep.depth.clip(-most, most, out=deep.depth)
    odd = planes.lengths["far"] or planes.lengths["off"] or flags & _BETWEEN
    return _checked(
        bool(odd) or not numbers or exponent > _SAFE,
        xy=xy,
        visible=_turned(visible).view(np.bool_),
        confidence=confidence.confidence,
        query=_query(planes, xy, between=bool(flags & _BETWEEN)),
        size=size,
        times=planes.read("times", np.float64, frames),
        depth=deep.depth if deep else None,
    )


def _positions(planes: "_Planes", often: int, count: int, frames: int) -> Positions:
    return Positions(
        low=planes.read("low", np.uint8, 2 * often).reshape(often, 2),
        high=planes.read("high", np.uint8, 2 * often).reshape(often, 2),
        drift=planes.rows("drift", 2, 2 * frames).reshape(2, frames, 2),
        first=planes.rows("first", 2, 2 * count).reshape(2, count, 2),
        xy=_room(count, frames, 2),
    )


def _depth(planes: "_Planes", often: int, count: int, frames: int, exponent: int) -> Depth:
    return Depth(
        low=planes.read("depth low", np.uint8, often),
        high=planes.read("depth high", np.uint8, often),
        first=planes.rows("first depth", 2, count),
        scale=np.ldexp(np.float32(1), exponent),
        depth=_room(count, frames),
    )


def _room(*shape: int) -> NDArray[np.float32]:
    return np.empty(shape, np.float32)


def _on_grid(xy: NDArray[np.float32]) -> NDArray[np.int32]:
    """In steps of 1/32 pixel. The product by a power of two is exact."""
    return np.rint(xy * STEPS).astype(np.int32)


def _frame(when: NDArray[Any], frames: int) -> NDArray[np.int64]:
    """The frame (N,) next to where each track was started: its query is told from there."""
    return np.rint(when).clip(0, frames - 1).astype(np.int64)


def _halved(depth: NDArray[np.float32]) -> tuple[NDArray[np.int16], int]:
    """The bits in half precision, of depth by a power of two that brings the largest near 1."""
    exponent = int(np.frexp(np.abs(depth).max())[1]) - 1
    half = np.ldexp(depth, -exponent).astype(np.float16)
    return half.view(np.int16), exponent


def _written(numbers: NDArray[Any], visible: NDArray[np.bool_]) -> tuple[bool, NDArray[np.bool_]]:
    """Whether the numbers (T, N, ...) are 0 wherever a point is hidden, and so which to write."""
    held = not numbers[~visible].any()
    return held, visible if held else np.ones_like(visible)


def _drift(steps: NDArray[np.int16], visible: NDArray[np.bool_]) -> NDArray[np.int16]:
    """How most points that are seen move in each frame, (T, 2): what the camera does, as a rule."""
    drift = np.zeros((len(steps), 2), np.int16)
    for frame, seen in enumerate(visible):
        if seen.any():
            drift[frame] = np.rint(np.median(steps[frame, seen], axis=0))
    return drift


def _two(changes: NDArray[Any]) -> tuple[Bytes, Bytes]:
    """Low and high bytes."""
    together = (changes + np.int16(MIDDLE)).astype("<i2").view(np.uint8).reshape(-1, 2)
    return together[:, 0].copy(), together[:, 1].copy()


def _query(planes: "_Planes", xy: NDArray[np.float32], *, between: bool) -> NDArray[np.float32]:
    count, frames = xy.shape[:2]
    start = planes.read("start", np.float32 if between else np.uint16, count)
    query = _room(count, 3)
    query[:, 0] = start
    stand(xy, _frame(start, frames) if between else start, query)
    if planes.lengths["off"]:
        query[:, 1:] += planes.read("off", np.int32, 2 * count).reshape(count, 2) / STEPS
    return query


def _turned(rows: NDArray[Any]) -> NDArray[Any]:
    """(N, T) of numbers (T, N): what numpy takes longer for."""
    import cv2

    turned: NDArray[Any] = cv2.transpose(rows)
    return turned


def _checked(odd: bool, **fields: Any) -> Tracks:
    """The record, looked through only where its numbers could be other than a `Tracks` may hold.

    Positions of 16 bits, confidences of 8 and queries that lie on tracks in a frame cannot, unless
    they are `odd`. To look through them all takes as long as to unpack them.
    """
    times, (height, width) = fields["times"], fields["size"]
    known = (
        not odd
        and (times[1:] > times[:-1]).all()
        and math.isfinite(times[0])
        and math.isfinite(times[-1])
        and 1 <= height <= MAX_SIDE
        and 1 <= width <= MAX_SIDE
    )
    if not known:
        return Tracks(**fields)
    tracks = object.__new__(Tracks)
    for name, value in fields.items():
        object.__setattr__(tracks, name, value)
    return tracks


class _Planes:
    """The planes of one clip, unpacked when they are asked for."""

    def __init__(self, data: bytes, lengths: dict[str, int]) -> None:
        self.lengths = lengths
        self._data = memoryview(data)
        self._zstandard = _zstandard()
        self._start: dict[str, int] = {}
        start = _HEADER.size
        for name, length in lengths.items():
            self._start[name] = start
            start += length

    def read(self, name: str, kind: Any, size: int) -> NDArray[Any]:
        """So many numbers."""
        rows = self.rows(name, np.dtype(kind).itemsize, size)
        return (rows[0] if len(rows) == 1 else rows.T.copy().reshape(-1)).view(kind)

    def rows(self, name: str, width: int, size: int) -> Bytes:
        """The lowest bytes of so many numbers, and the next ones: (width, size)."""
        return self._bytes(name, size * width).reshape(width, size)

    def _bytes(self, name: str, size: int) -> Bytes:
        length = self.lengths[name]
        if not length:
            return np.frombuffer(bytes(size), np.uint8)  # never to be written, as the others
        piece = self._data[self._start[name] : self._start[name] + length]
        try:
            if self._zstandard.frame_content_size(piece) != size:  # or any size could be promised
                raise _unreadable(f"{name!r} is not of {size} bytes")
            return np.frombuffer(_decompressor().decompress(piece), np.uint8)
        except self._zstandard.ZstdError as error:
            raise _unreadable(f"{name!r}: {error}") from error


def _pack(numbers: NDArray[Any]) -> bytes:
    """The lowest bytes of all numbers, then the next ones, and so on, in a frame of zstd."""
    little = np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<")).reshape(-1)
    if not little.any():
        return b""
    planar = little.view(np.uint8).reshape(-1, little.itemsize).T.tobytes()
    packed: bytes = _zstandard().ZstdCompressor(level=_LEVEL).compress(planar)
    return packed


_own = threading.local()


def _decompressor() -> Any:
    """One for each thread: to make one takes longer than most planes do."""
    if not hasattr(_own, "decompressor"):
        _own.decompressor = _zstandard().ZstdDecompressor()
    return _own.decompressor


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as missing:
        raise MissingExtra("a store of tracks", extra="store") from missing
    return zstandard


def _check(tracks: Tracks) -> None:
    """What a `Tracks` may be, and a store cannot hold."""
    count, frames = tracks.visible.shape
    if count > MAX_TRACKS or frames > MAX_FRAMES:
        raise LimitExceeded(
            f"{count} tracks of {frames} frames; a store holds at most {MAX_TRACKS} tracks of "
            f"{MAX_FRAMES} frames",
            kind="too-many-tracks",
            limit=[MAX_TRACKS, MAX_FRAMES],
            value=[count, frames],
        )
    least, most = float(tracks.confidence.min()), float(tracks.confidence.max())
    if least < 0 or most > 1:
        raise InputError(
            f"confidence is {least:.3g} to {most:.3g}; it has to be 0 to 1", kind="invalid-tracks"
        )
    farthest = float(np.abs(tracks.query[:, 1:]).max())
    if farthest > 2 * MAX_SIDE:
        raise InputError(
            f"query reaches {farthest:.3g} pixels; at most {2 * MAX_SIDE} is believed",
            kind="invalid-tracks",
            limit=2 * MAX_SIDE,
            value=farthest,
        )


def _unreadable(why: str) -> InputError:
    return InputError(f"these are not tracks as a store holds them: {why}", kind="invalid-tracks")
