"""Points followed through a clip, and the `.tracks.npz` file that carries them.

Shapes:  N tracks   T frames

The file is a zip of `.npy` arrays named as the fields below, plus `version`. It is read without
pickle, and the header of every array is checked before a byte of it is unpacked, so that a file
made to exhaust memory is refused for the price of reading its headers.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError, LimitExceeded

FILE_VERSION = 1
MAX_TRACKS = 10_000
MAX_FRAMES = 1_024
MAX_SIDE = 16_384
_DTYPES = {
    "version": "i",
    "xy": "f",
    "visible": "b",
    "confidence": "f",
    "depth": "f",
    "query": "f",
    "size": "i",
    "times": "f",
}
# What zipfile and numpy raise on bytes that are not theirs (NotImplementedError: a compression
# method this Python lacks; RuntimeError: an encrypted member; TypeError: no type of numpy's).
_UNREADABLE = (ValueError, TypeError, EOFError, OSError, NotImplementedError, RuntimeError)
# zipfile reads the whole directory at once, and makes half a kilobyte of every name in it.
_LONGEST_DIRECTORY = 1 << 17
# An array's header as numpy writes it. numpy itself reads it as a piece of Python, which can be
# made to exhaust the parser's stack.
_LONGEST_HEADER = 1 << 10
_HEADER = re.compile(
    r"\{'descr': '(?P<type>[<>|=]?[A-Za-z][0-9]{0,3})', 'fortran_order': (?P<columns>True|False), "
    r"'shape': \((?P<shape>[0-9, ]{0,99})\), ?\}\s*"
)
_REQUIRED = set(_DTYPES) - {"depth"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracks:
    """N points followed through the T frames of one clip.

    Positions are (x, y) in pixels of the clip: x right, y down, pixel centres at integers.
    Where a point is not visible its position is the tracker's last belief.
    """

    xy: NDArray[np.float32]  # (N, T, 2) pixels
    visible: NDArray[np.bool_]  # (N, T) False where hidden, lost or out of the frame
    confidence: NDArray[np.float32]  # (N, T) 0 to 1
    query: NDArray[np.float32]  # (N, 3) (frame, x, y): where each track was started
    size: tuple[int, int]  # (height, width) of the frames
    times: NDArray[np.float64]  # (T,) seconds, rising
    depth: NDArray[np.float32] | None = None  # (N, T) relative, larger is farther

    def __post_init__(self) -> None:
        _expect(self.xy.ndim == 3 and self.xy.shape[-1] == 2, "xy", "(N, T, 2)", self.xy)
        count, frames = self.xy.shape[:2]
        _expect(count >= 1 and frames >= 2, "xy", "(N >= 1, T >= 2, 2)", self.xy)
        for name in ("visible", "confidence", "depth"):
            array = getattr(self, name)
            if array is not None:
                _expect(array.shape == (count, frames), name, f"(N, T) = {count, frames}", array)
        _expect(self.query.shape == (count, 3), "query", f"(N, 3) = {count, 3}", self.query)
        _expect(self.times.shape == (frames,), "times", f"(T,) = {(frames,)}", self.times)
        for name in ("xy", "confidence", "depth", "query", "times"):
            array = getattr(self, name)
            if array is not None and not np.isfinite(array).all():
                bad = int(np.size(array) - np.isfinite(array).sum())
                raise InputError(
                    f"{name} has {bad} values that are NaN or infinite; tracks hold numbers only",
                    kind="tracks-not-finite",
                    value=bad,
                )
        farthest = float(np.abs(self.xy).max())
        if farthest > 2 * MAX_SIDE:
            raise InputError(
                f"xy reaches {farthest:.3g} pixels; at most {2 * MAX_SIDE} is believed",
                kind="invalid-tracks",
                limit=2 * MAX_SIDE,
                value=farthest,
            )
        if (np.diff(self.times) <= 0).any():
            raise InputError("times must rise from frame to frame", kind="invalid-tracks")
        if not all(1 <= side <= MAX_SIDE for side in self.size):
            raise LimitExceeded(
                f"size (height, width) must be 1 to {MAX_SIDE} pixels, got {self.size}",
                kind="invalid-tracks",
                limit=MAX_SIDE,
                value=list(self.size),
            )

    @property
    def duration_s(self) -> float:
        return float(self.times[-1] - self.times[0])

    def save(self, file: Path | str | IO[bytes]) -> None:
        """Write a `.tracks.npz`. Equal tracks give equal bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "version": np.array(FILE_VERSION, np.int32),
            "xy": self.xy.astype(np.float32),
            "visible": self.visible.astype(np.bool_),
            "confidence": self.confidence.astype(np.float32),
            "query": self.query.astype(np.float32),
            "size": np.array(self.size, np.int32),
            "times": self.times.astype(np.float64),
        }
        if self.depth is not None:
            arrays["depth"] = self.depth.astype(np.float32)
        # As numpy.savez_compressed, but at zlib's first level: four times as fast on tracks, and
        # no larger. A ZipInfo of its own has a fixed date, so equal tracks stay equal bytes.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in arrays.items():
                member = io.BytesIO()
                np.lib.format.write_array(member, array, allow_pickle=False)
                info = zipfile.ZipInfo(f"{name}.npy")
                archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=1)

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        self.save(buffer)
        return buffer.getvalue()

    @classmethod
    def load(cls, file: Path | str | IO[bytes]) -> "Tracks":
        """Read and check a `.tracks.npz`; raises InputError with what is wrong."""
        try:
            with _opened(file) as reader, zipfile.ZipFile(reader) as archive:
                reader.most = None
                members = archive.namelist()
                if len(members) > len(_DTYPES):
                    raise ValueError(f"{len(members)} members, a tracks file has {len(_DTYPES)}")
                arrays = {
                    member.removesuffix(".npy"): _read_member(archive, member) for member in members
                }
        except (zipfile.BadZipFile, zlib.error, *_UNREADABLE) as error:
            raise InputError(
                f"not a tracks file ({error}); expected a .tracks.npz written by pointaction",
                kind="invalid-tracks",
            ) from error
        return cls._from_arrays(arrays)

    @classmethod
    def _from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> "Tracks":
        missing = _REQUIRED - arrays.keys()
        if missing:
            raise InputError(
                f"the tracks file lacks {', '.join(sorted(missing))}", kind="invalid-tracks"
            )
        version = arrays["version"]
        if version.shape != () or int(version) != FILE_VERSION:
            raise InputError(
                f"tracks file version {version} is not {FILE_VERSION}, the one this release reads",
                kind="tracks-version",
                limit=FILE_VERSION,
                value=version.tolist(),
            )
        _expect(arrays["size"].shape == (2,), "size", "(2,)", arrays["size"])
        depth = arrays.get("depth")
        return cls(
            xy=arrays["xy"].astype(np.float32),
            visible=arrays["visible"],
            confidence=arrays["confidence"].astype(np.float32),
            query=arrays["query"].astype(np.float32),
            size=(int(arrays["size"][0]), int(arrays["size"][1])),
            times=arrays["times"].astype(np.float64),
            depth=None if depth is None else depth.astype(np.float32),
        )


def _expect(holds: bool, name: str, shape: str, array: NDArray[Any]) -> None:
    if not holds:
        raise InputError(
            f"{name} must be {shape}, got {tuple(array.shape)}",
            kind="invalid-tracks",
            value=list(array.shape),
        )


def _read_member(archive: zipfile.ZipFile, member: str) -> NDArray[Any]:
    """One array, its header judged before its data is unpacked."""
    name = member.removesuffix(".npy")
    if name not in _DTYPES or not member.endswith(".npy"):
        raise ValueError(f"unexpected member {member[:80]!r}")
    with archive.open(member) as file:
        shape, columns, dtype = _read_header(file)
        if dtype.hasobject or dtype.kind != _DTYPES[name]:
            raise ValueError(f"{name} has dtype {dtype}, which a tracks file never holds")
        if columns:
            raise ValueError(f"{name} is stored column by column; save it in C order")
        _check_counts(name, shape)
        size = int(np.prod(shape)) * dtype.itemsize
        data = file.read(size)
        if len(data) != size:
            raise ValueError(f"{name} ends after {len(data)} of {size} bytes")
        return np.frombuffer(data, dtype).reshape(shape)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is stored column by column, and type of the array that follows."""
    major, _ = np.lib.format.read_magic(file)
    length = int.from_bytes(file.read(2 if major == 1 else 4), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"an array has a header of {length} bytes")
    told = _HEADER.fullmatch(file.read(length).decode("latin-1"))
    if not told:
        raise ValueError("the header of an array is not as numpy writes it")
    shape = tuple(int(side) for side in told["shape"].replace(",", " ").split())
    return shape, told["columns"] == "True", np.dtype(told["type"])


class _Reader(io.BufferedReader):
    """A file of which at most `most` bytes are read at once; None: any number."""

    most: int | None = _LONGEST_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is None:
            return super().read(size)
        asked = self.most + 1 if size is None or size < 0 else min(size, self.most + 1)
        data = super().read(asked)
        if len(data) > self.most:
            raise ValueError("it has more members than any tracks file")
        return data


@contextmanager
def _opened(file: Path | str | IO[bytes]) -> Iterator[_Reader]:
    """A reader of the file; one that was given open is left open."""
    if isinstance(file, Path | str):
        with io.FileIO(file) as raw, _Reader(raw) as reader:
            yield reader
        return
    reader = _Reader(file)  # type: ignore[arg-type]  # what is buffered already will do
    try:
        yield reader
    finally:
        reader.detach()


def _check_counts(name: str, shape: tuple[int, ...]) -> None:
    limits = {
        "xy": (MAX_TRACKS, MAX_FRAMES, 2),
        "visible": (MAX_TRACKS, MAX_FRAMES),
        "confidence": (MAX_TRACKS, MAX_FRAMES),
        "depth": (MAX_TRACKS, MAX_FRAMES),
        "query": (MAX_TRACKS, 3),
        "times": (MAX_FRAMES,),
        "size": (2,),
        "version": (),
    }[name]
    if len(shape) != len(limits):
        raise ValueError(f"{name} must have {len(limits)} axes, got shape {shape}")
    for length, limit in zip(shape, limits, strict=True):
        if length > limit:
            raise LimitExceeded(
                f"{name} has shape {shape}; a tracks file holds at most {MAX_TRACKS} tracks of "
                f"{MAX_FRAMES} frames",
                kind="too-many-tracks",
                limit=list(limits),
                value=list(shape),
            )
