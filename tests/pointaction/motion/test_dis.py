import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.motion.base import MotionSource
from pointaction.motion.dis import DenseInverseSearch
from tests.formulas import film

SOURCE: MotionSource = DenseInverseSearch()


def clip(frames: NDArray[np.uint8]) -> Clip:
    return Clip.from_frames(frames, fps=10)


def test_it_finds_how_a_film_drifts_forward_and_back() -> None:
    """The film's waves drift by (1.5, 0.75) pixels per frame."""
    motion = SOURCE.motion(clip(film(4, 64, 80).transpose(0, 2, 3, 1)))
    ahead, behind = motion[:2, :-1, 8:-8, 8:-8], motion[2:, 1:, 8:-8, 8:-8]
    drift = np.array([1.5, 0.75]).reshape(2, 1, 1, 1)
    assert np.abs(ahead - drift).mean() < 0.25
    assert np.abs(behind + drift).mean() < 0.25


def test_before_the_first_and_after_the_last_frame_nothing_moves() -> None:
    motion = SOURCE.motion(clip(film(3, 40, 40).transpose(0, 2, 3, 1)))
    assert not motion[:2, -1].any()
    assert not motion[2:, 0].any()
    assert motion[:2, :-1].any()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 45), st.integers(1, 45)),
    colour=st.sampled_from([0, 255, None]),
)
def test_any_clip_has_a_motion(size: tuple[int, int, int], colour: int | None) -> None:
    """OpenCV alone refuses pictures of 8 pixels, and crashes on some of 11."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    frames = noise if colour is None else np.full_like(noise, colour)
    motion = SOURCE.motion(clip(frames))
    assert motion.shape == (4, *size)
    assert motion.dtype == np.float32
    assert np.isfinite(motion).all()
    if colour is not None:
        assert np.abs(motion).max() < 1e-3
