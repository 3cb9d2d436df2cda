"""A clip: the frames that the rest of the library looks at.

Shapes:  T frames   H, W pixels
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the file held before it was sampled in time and resized."""

    duration_s: float
    frames: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """T frames of one video, RGB, sampled uniformly in time."""

    frames: NDArray[np.uint8]  # (T, H, W, 3) RGB
    times: NDArray[np.float64]  # (T,) seconds since the first frame of the file
    sha256: str  # hash of the file's bytes; the clip's identity everywhere
    source: Source

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8:
            raise InputError(
                f"frames must be uint8 (T, H, W, 3), got {self.frames.dtype} {self.frames.shape}"
            )
        if self.times.shape != self.frames.shape[:1]:
            raise InputError(
                f"times must be (T,) = {self.frames.shape[:1]}, got {self.times.shape}"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return self.frames.shape[1], self.frames.shape[2]

    @classmethod
    def from_frames(cls, frames: NDArray[np.uint8], *, fps: float) -> "Clip":
        """A clip from frames in memory; its hash is that of the pixels."""
        count, height, width, _ = frames.shape
        return cls(
            frames=frames,
            times=np.arange(count) / fps,
            sha256=hashlib.sha256(np.ascontiguousarray(frames).data).hexdigest(),
            source=Source(duration_s=count / fps, frames=count, width=width, height=height),
        )
