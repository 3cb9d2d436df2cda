import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.motion.network_input import CELL, SIDE, squares


class Steady:
    """A `MotionSource`: all moves by (2, -4) pixels of the clip that it is shown."""

    seen: tuple[int, int]

    def motion(self, clip: Clip) -> NDArray[np.float32]:
        self.seen = clip.size
        motion = np.zeros((4, len(clip.frames), *clip.size), np.float32)
        motion[0], motion[1] = 2, -4
        return motion


@pytest.mark.parametrize("size", [(48, 80), (200, 90), (1, 1)])
def test_a_clip_of_any_shape_becomes_squares(size: tuple[int, int]) -> None:
    """Motion is searched for in larger ones: there its numbers are twice those of the squares."""
    frames = np.zeros((3, *size, 3), np.uint8)
    frames[..., 1] = 77
    source = Steady()
    small = squares(Clip.from_frames(frames, fps=4), source)
    assert small.frames.shape == (3, SIDE, SIDE, 3)
    assert small.frames.dtype == np.uint8
    assert (small.frames == [0, 77, 0]).all()
    assert source.seen == (2 * SIDE, 2 * SIDE)
    assert small.motion.shape == (4, 3, SIDE // CELL, SIDE // CELL)
    assert (small.motion[:, 0, 5, 7] == [1, -2, 0, 0]).all()


def test_left_stays_left_and_up_stays_up() -> None:
    frames = np.zeros((1, 60, 100, 3), np.uint8)
    frames[:, :30, :50, 0] = 255
    small = squares(Clip.from_frames(frames, fps=4), Steady()).frames[0, ..., 0]
    assert small[: SIDE // 2, : SIDE // 2].min() == 255
    assert small[SIDE // 2 + 1 :].max() == small[:, SIDE // 2 + 1 :].max() == 0
