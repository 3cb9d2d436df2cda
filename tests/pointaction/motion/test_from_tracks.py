import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.motion.base import MotionSource
from pointaction.motion.from_tracks import MotionFromTracks, densify
from pointaction.tracks import Tracks

SIZE = 24, 30


def tracks(xy: NDArray[np.float64], visible: NDArray[np.bool_] | None = None) -> Tracks:
    """Of points xy (N, T, 2), all visible unless said otherwise."""
    count, frames, _ = xy.shape
    return Tracks(
        xy=xy.astype(np.float32),
        visible=np.ones((count, frames), bool) if visible is None else visible,
        confidence=np.ones((count, frames), np.float32),
        query=np.zeros((count, 3), np.float32),
        size=SIZE,
        times=np.arange(frames) / 10,
    )


def straight(start: tuple[float, float], step: tuple[float, float], frames: int = 3) -> list[float]:
    return (np.array(start) + np.arange(frames)[:, None] * np.array(step)).tolist()


def test_one_point_speaks_for_the_whole_picture() -> None:
    motion = densify(tracks(np.array([straight((7, 9), (2, -1))])))
    assert motion.shape == (4, 3, *SIZE)
    np.testing.assert_allclose(motion[:2, :2], np.broadcast_to(_at(2, -1), (2, 2, *SIZE)))
    np.testing.assert_allclose(motion[2:, 1:], np.broadcast_to(_at(-2, 1), (2, 2, *SIZE)))
    assert not motion[:2, 2].any()
    assert not motion[2:, 0].any()


def _at(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x, y]).reshape(2, 1, 1, 1)


def test_each_point_speaks_for_what_is_near_it() -> None:
    """The left side goes up, the right side down; points are 4 pixels apart."""
    rows = range(2, 24, 4)
    left = [straight((x, y), (0, -1)) for x in range(2, 14, 4) for y in rows]
    right = [straight((x, y), (0, 1)) for x in range(18, 30, 4) for y in rows]
    down = densify(tracks(np.array(left + right)))[1, 0]
    assert (down[:, :10] == -1).all()
    assert (down[:, 18:] == 1).all()
    assert (np.diff(down, axis=1) >= 0).all()


def test_points_count_where_they_are_seen_in_both_frames() -> None:
    seen = np.array([[True, True, False], [False, True, True]])
    motion = densify(tracks(np.array([straight((5, 5), (1, 0)), straight((6, 6), (0, 3))]), seen))
    np.testing.assert_allclose(motion[:, :, 0, 0].T, [[1, 0, 0, 0], [0, 3, -1, 0], [0, 0, 0, -3]])


def test_whatever_follows_points_is_a_source_of_motion() -> None:
    clip = Clip.from_frames(np.zeros((3, *SIZE, 3), np.uint8), fps=10)
    followed = tracks(np.array([straight((4, 4), (1, 1))]))
    source: MotionSource = MotionFromTracks(lambda asked: followed)
    np.testing.assert_array_equal(source.motion(clip), densify(followed))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(count=st.integers(1, 20), frames=st.integers(2, 4), far=st.sampled_from([1.0, 3e4]))
def test_any_tracks_give_a_motion_no_wilder_than_their_own(
    count: int, frames: int, far: float
) -> None:
    chance = np.random.default_rng(count)
    xy = chance.uniform(-far, far, (count, frames, 2))
    followed = tracks(xy, chance.random((count, frames)) < 0.7)
    motion = densify(followed)
    assert motion.shape == (4, frames, *SIZE)
    assert np.abs(motion).max() <= np.abs(np.diff(followed.xy, axis=1)).max() * (1 + 1e-5)
