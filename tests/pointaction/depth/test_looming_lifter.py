import dataclasses

import numpy as np

from pointaction.depth.base import Lifter
from pointaction.depth.looming_lifter import Looming
from tests.pointaction.test_tracks import make_tracks
from tests.pointaction.tracking.test_lucas_kanade import shifting


def test_it_takes_the_tracks_alone_and_no_time() -> None:
    clip, lifter = shifting((1, 0)), Looming()
    seam: Lifter = lifter
    tracks = make_tracks(depth=False)
    lifted = seam.lift(clip, tracks)
    assert lifted.depth is not None
    assert np.isfinite(lifted.depth).all()
    assert seam.expected_seconds(clip) == 0
    guessed = dataclasses.replace(tracks, depth=np.full_like(tracks.confidence, 7))
    np.testing.assert_array_equal(seam.lift(clip, guessed).depth, lifted.depth)
