"""Where windows lie in a long video. Needs no torch.

Shapes:  n windows   F frames of a window
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError, LimitExceeded

MAX_WINDOWS = 100_000  # six hours, five times a second
_SLACK = 1e-6  # of a frame; what is nearly whole is whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """n windows of F frames, all on one clock, so that they can share what is found in them."""

    frames: int  # F, of each window, both ends included
    step: int  # frames from the beginning of one to that of the next
    every_s: float  # seconds from one frame to the next
    count: int  # n

    @classmethod
    def over(cls, last_s: float, *, window_s: float, step_s: float, frames: int) -> "Windows":
        """Those of a video whose last frame is shown at `last_s`, seconds since its first.

        The step is rounded to whole frames of the clock. A video that is shorter than a window is
        one window; else what is left at the end, less than a step, is in none. InputError for
        lengths that cannot be, LimitExceeded (too-many-windows) for more than MAX_WINDOWS.
        """
        if not (0 < window_s < np.inf and 0 < step_s < np.inf and frames >= 2 and last_s > 0):
            raise InputError(
                f"windows have lengths and steps above 0 s and 2 frames or more, got {window_s} s, "
                f"{step_s} s and {frames} frames of a video of {last_s} s"
            )
        every_s = min(window_s, last_s) / (frames - 1)
        step = max(1, round(step_s / every_s))
        there = int(last_s / every_s + _SLACK) + 1
        count = max(0, there - frames) // step + 1
        if count > MAX_WINDOWS:
            raise LimitExceeded(
                f"{last_s:.0f} s in steps of {step_s:g} s are {count} windows, more than the "
                f"{MAX_WINDOWS} of a timeline; take longer steps",
                kind="too-many-windows",
                limit=MAX_WINDOWS,
                value=count,
            )
        return cls(frames=frames, step=step, every_s=every_s, count=count)

    @property
    def total(self) -> int:
        """Frames from the beginning of the first window to the end of the last."""
        return (self.count - 1) * self.step + self.frames

    @property
    def window_s(self) -> float:
        """From the first frame of a window to its last."""
        return (self.frames - 1) * self.every_s

    @property
    def step_s(self) -> float:
        return self.step * self.every_s

    @property
    def starts(self) -> NDArray[np.float64]:
        """(n,) seconds."""
        return np.arange(self.count, dtype=np.float64) * self.step_s
