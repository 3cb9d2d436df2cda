import numpy as np
import pytest

from pointaction.errors import InputError, LimitExceeded
from pointaction.timelines.windows import Windows


def test_windows_share_one_clock() -> None:
    """Windows of 2 s and 5 frames: a frame every half second, a step of two of them."""
    windows = Windows.over(10.0, window_s=2.0, step_s=1.0, frames=5)
    assert windows == Windows(frames=5, step=2, every_s=0.5, count=9)
    assert windows.starts.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert windows.total == 21  # frames at 0, 0.5, ..., 10 s


def test_a_step_is_rounded_to_whole_frames() -> None:
    windows = Windows.over(10.0, window_s=2.0, step_s=0.8, frames=5)
    assert windows.step_s == 1.0
    assert Windows.over(10.0, window_s=2.0, step_s=0.01, frames=5).step == 1


def test_what_is_left_at_the_end_is_shorter_than_a_step() -> None:
    windows = Windows.over(10.9, window_s=2.0, step_s=1.0, frames=5)
    assert windows.starts[-1] + windows.window_s == 10.0


def test_a_short_video_is_one_window() -> None:
    windows = Windows.over(1.0, window_s=2.0, step_s=1.0, frames=5)
    assert (windows.count, windows.total) == (1, 5)
    assert windows.window_s == 1.0


@pytest.mark.parametrize(("window_s", "step_s"), [(0, 1), (1, 0), (np.nan, 1), (1, np.inf)])
def test_lengths_that_cannot_be_are_refused(window_s: float, step_s: float) -> None:
    with pytest.raises(InputError, match="above 0 s"):
        Windows.over(10.0, window_s=window_s, step_s=step_s, frames=5)


def test_more_windows_than_anybody_reads_are_refused() -> None:
    with pytest.raises(LimitExceeded, match="longer steps"):
        Windows.over(6 * 3600, window_s=1.0, step_s=0.05, frames=32)
