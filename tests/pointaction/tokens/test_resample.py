import numpy as np

from pointaction.tokens.resample import resample
from tests.pointaction.test_tracks import make_tracks


def test_tracks_on_the_clock_come_back_as_they_are() -> None:
    tracks = make_tracks(frames=4)
    assert resample(tracks, 4) is tracks


def test_a_straight_way_stays_straight() -> None:
    tracks = make_tracks(frames=4)  # positions rise by 2 from frame to frame
    longer = resample(tracks, 7)
    steps = np.diff(longer.xy, axis=1)
    np.testing.assert_allclose(steps, 1.0, atol=1e-5)
    np.testing.assert_allclose(longer.xy[:, [0, -1]], tracks.xy[:, [0, -1]], atol=1e-5)


def test_visibility_is_that_of_the_nearest_frame() -> None:
    tracks = make_tracks(frames=4)
    tracks.visible[:, 0] = False
    assert resample(tracks, 7).visible[0].tolist() == [False, True, True, True, True, True, True]
