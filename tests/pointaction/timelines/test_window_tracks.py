import numpy as np

from pointaction.timelines.window_tracks import window_tracks
from pointaction.tracks import Tracks


def tracks() -> Tracks:
    """Three tracks of six frames: seen all the time, in frames 0 to 2, in frames 3 to 5."""
    visible = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], bool)
    number = np.arange(3, dtype=np.float32)[:, None, None]
    xy = np.broadcast_to(number, (3, 6, 2)) + np.arange(6, dtype=np.float32)[:, None] / 10
    return Tracks(
        xy=xy.astype(np.float32),
        visible=visible,
        confidence=visible.astype(np.float32),
        query=np.array([[0, 0, 0], [1, 1, 1], [4, 2, 2]], np.float32),
        size=(8, 8),
        times=np.arange(6) / 2,
    )


def test_a_window_has_the_tracks_that_are_seen_in_it() -> None:
    window = window_tracks(tracks(), 3, 3, count=2)
    np.testing.assert_allclose(window.xy[:, 0, 0], [0.3, 2.3])
    assert window.visible.all()
    assert window.times.tolist() == [1.5, 2.0, 2.5]
    assert window.query[1].tolist() == [1, 2, 2]  # frame 4 is the window's second


def test_where_there_are_fewer_some_come_again() -> None:
    window = window_tracks(tracks(), 0, 3, count=5)
    assert window.xy[:, 0, 0].tolist() == [0, 0, 0, 1, 1]


def test_where_nothing_is_seen_there_are_tracks_nevertheless() -> None:
    still = tracks()
    still.visible[:] = False
    window = window_tracks(still, 0, 3, count=3)
    assert not window.visible.any()
    assert window.xy.shape == (3, 3, 2)
