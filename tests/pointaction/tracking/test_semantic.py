import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pointaction.appearance.colour_texture import ColourTexture
from pointaction.clip import Clip
from pointaction.tracking.queries import grid_queries
from pointaction.tracking.semantic import k_means, semantic_queries

COUNT = 64


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A red ball of 12 pixels that comes in late, before grass and sky."""
    generator = np.random.default_rng(0)
    frames = np.empty((6, 128, 160, 3), np.uint8)
    frames[:, :64] = (120, 170, 240)
    frames[:, 64:] = (40, 140, 50) + generator.integers(-15, 15, size=(64, 160, 1))
    for frame in range(3, 6):
        top, left = corner(frame)
        frames[frame, top : top + 12, left : left + 12] = (230, 20, 20)
    return Clip.from_frames(frames, fps=8)


def corner(frame: int) -> tuple[int, int]:
    return 20, 30 * frame - 60


def on_ball(queries: NDArray[np.float32]) -> NDArray[np.bool_]:
    top, left = corner(3)
    frame, x, y = queries.T
    near = (np.abs(x - left - 6) < 16) & (np.abs(y - top - 6) < 14)  # within a patch of it
    return near & (frame == 3)


def test_a_small_thing_gets_as_many_points_as_a_large_one(clip: Clip) -> None:
    queries = semantic_queries(clip, COUNT, ColourTexture(), groups=8)
    assert queries.shape == (COUNT, 3)
    assert on_ball(queries).sum() >= COUNT / 8
    grid = grid_queries(clip, rows=8, columns=8, frame=3)
    assert 2 * on_ball(grid).sum() <= on_ball(queries).sum()


def test_points_lie_in_the_frame_where_their_group_is_first_seen(clip: Clip) -> None:
    queries = semantic_queries(clip, COUNT, ColourTexture(), groups=8)
    assert set(queries[:, 0]) == {0, 3}
    assert (queries[:, 1:] >= 0).all()
    assert (queries[:, 1:] <= (159, 127)).all()


def test_a_clip_is_always_asked_the_same(clip: Clip) -> None:
    first, again = (semantic_queries(clip, COUNT, ColourTexture()) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("count", [1, 5])
def test_an_empty_clip_is_one_group(count: int) -> None:
    empty = Clip.from_frames(np.zeros((2, 32, 32, 3), np.uint8), fps=1)
    queries = semantic_queries(empty, count, ColourTexture())
    assert queries.shape == (count, 3)
    assert not queries[:, 0].any()


def test_a_few_points_that_are_like_no_others_are_a_group() -> None:
    generator = torch.Generator().manual_seed(0)
    many = torch.randn(500, 2, generator=generator)
    few = torch.randn(3, 2, generator=generator) + 30
    group = k_means(torch.cat([many, few]), 3)
    assert len(group[500:].unique()) == 1
    assert group[500] not in group[:500]
