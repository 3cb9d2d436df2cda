from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.clip import Source
from pointaction.timelines.pieces import Piece, per_piece, piece_count, pieces
from pointaction.timelines.windows import Windows

SOURCE = Source(duration_s=60, frames=600, width=2, height=2)


def numbered(count: int) -> Iterator[NDArray[np.uint8]]:
    """Frames that show their number."""
    return (np.full((2, 2, 3), number, np.uint8) for number in range(count))


def cut(windows: Windows) -> list[Piece]:
    return list(pieces(numbered(windows.total), windows, sha256="0", source=SOURCE))


@pytest.mark.parametrize(
    ("step", "count"), [(2, 1), (2, 3), (2, 10), (4, 7), (5, 6), (9, 5)], ids=str
)
def test_every_window_lies_whole_in_one_piece(step: int, count: int) -> None:
    """Also where windows overlap much, touch (4), or leave frames between them (5, 9)."""
    windows = Windows(frames=4, step=step, every_s=0.5, count=count)
    seen = {}
    for piece in cut(windows):
        for window, start in zip(piece.windows, piece.starts, strict=True):
            seen[window] = piece.clip.frames[start : start + 4, 0, 0, 0].tolist()
            assert piece.clip.times[start] == window * step * 0.5
    first = [step * window for window in range(count)]
    assert seen == {
        window: [begin, begin + 1, begin + 2, begin + 3] for window, begin in enumerate(first)
    }


def test_a_piece_is_about_two_windows_long() -> None:
    windows = Windows(frames=32, step=10, every_s=0.1, count=18)
    assert per_piece(windows) == 4
    assert piece_count(windows) == 5
    assert len(cut(windows)[0].clip.frames) == 62


def test_points_are_chosen_anew_in_each_piece() -> None:
    parts = cut(Windows(frames=4, step=2, every_s=0.5, count=10))
    assert len({piece.clip.sha256 for piece in parts}) == len(parts)
    again = cut(Windows(frames=4, step=2, every_s=0.5, count=10))
    assert [piece.clip.sha256 for piece in again] == [piece.clip.sha256 for piece in parts]


def test_frames_are_taken_as_they_are_needed() -> None:
    windows = Windows(frames=4, step=2, every_s=0.5, count=100)
    frames = numbered(windows.total)
    next(pieces(frames, windows, sha256="0", source=SOURCE))
    assert next(frames)[0, 0, 0] == 8  # three windows of 4 frames every 2


@pytest.mark.parametrize("step", [2, 4, 5])
def test_pieces_from_the_middle_on_are_the_same(step: int) -> None:
    windows = Windows(frames=4, step=step, every_s=0.5, count=7)
    whole, since = cut(windows), 2 * per_piece(windows)
    frames = islice(numbered(windows.total), since * step, None)
    rest = list(pieces(frames, windows, sha256="0", source=SOURCE, since=since))
    assert [piece.windows for piece in rest] == [piece.windows for piece in whole[2:]]
    for one, other in zip(rest, whole[2:], strict=True):
        np.testing.assert_array_equal(one.clip.frames, other.clip.frames)
        np.testing.assert_array_equal(one.clip.times, other.clip.times)
        assert (one.clip.sha256, one.starts) == (other.clip.sha256, other.starts)


def test_no_piece_begins_in_the_middle_of_another() -> None:
    windows = Windows(frames=4, step=2, every_s=0.5, count=7)
    with pytest.raises(ValueError, match="begin with every 3th window"):
        next(pieces(numbered(windows.total), windows, sha256="0", source=SOURCE, since=2))
