import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.tracking.lucas_kanade import LucasKanade
from pointaction.tracking.queries import grid_queries, random_queries


def texture(height: int, width: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2).astype(np.uint8)


def shifting(step: tuple[int, int], *, frames: int = 6) -> Clip:
    """A window of 96 x 128 over a texture that moves by `step` (x, y) pixels per frame."""
    world = cv2.normalize(texture(200, 240), None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    views = []
    for number in range(frames):
        x, y = 50 - step[0] * number, 50 - step[1] * number
        views.append(world[y : y + 96, x : x + 128])
    return Clip.from_frames(np.stack(views), fps=10)


def middle(*, frame: int) -> NDArray[np.float32]:
    return np.array([[frame, 60, 40], [frame, 70, 50], [frame, 64, 44]], np.float32)


def test_points_follow_a_shift_both_ways_in_time() -> None:
    tracks = LucasKanade().track(shifting((3, -2)), middle(frame=2))
    way = tracks.xy - tracks.xy[:, 2:3]
    expected = (np.arange(6) - 2)[:, None] * np.array([3, -2])
    np.testing.assert_allclose(way, np.broadcast_to(expected, way.shape), atol=0.1)
    assert tracks.visible.all()


def test_a_query_is_where_it_was_asked() -> None:
    tracks = LucasKanade().track(shifting((1, 1)), middle(frame=3))
    np.testing.assert_allclose(tracks.xy[:, 3], tracks.query[:, 1:])
    assert (tracks.confidence[:, 3] == 1).all()


def test_a_point_that_leaves_the_picture_is_lost_where_it_left() -> None:
    tracks = LucasKanade().track(shifting((8, 0)), np.array([[0, 110, 48]], np.float32))
    assert tracks.visible[0].tolist()[:2] == [True, True]
    assert not tracks.visible[0, 4:].any()
    assert tracks.xy[0, -1, 0] <= 127.5
    np.testing.assert_array_equal(tracks.xy[0, -1], tracks.xy[0, -2])


def test_a_flat_picture_loses_every_point_but_stays_finite() -> None:
    clip = Clip.from_frames(np.full((4, 64, 64, 3), 90, np.uint8), fps=10)
    tracks = LucasKanade().track(clip, middle(frame=1))
    assert tracks.visible.sum() == 3
    np.testing.assert_array_equal(tracks.xy[:, 0], tracks.xy[:, 1])


def test_every_step_is_counted_both_ways() -> None:
    told: list[tuple[int, int]] = []
    clip = shifting((1, 0), frames=4)
    LucasKanade().track(clip, middle(frame=0), count=lambda *done: told.append(done))
    assert told == [(number, 6) for number in range(1, 7)]


def test_the_expected_time_is_a_step_for_every_frame_both_ways(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr("pointaction.timing.perf_counter", lambda: next(ticks))
    clip = shifting((1, 0), frames=4)
    assert LucasKanade().expected_seconds(clip, middle(frame=0)) == 8


def test_positions_are_multiples_of_a_thirty_second_pixel() -> None:
    tracks = LucasKanade().track(shifting((1, 0)), middle(frame=0))
    assert (tracks.xy * 32 == np.round(tracks.xy * 32)).all()


def test_random_queries_belong_to_the_clip() -> None:
    clip = shifting((1, 0))
    queries = random_queries(clip, 500)
    assert np.array_equal(queries, random_queries(clip, 500))
    assert not np.array_equal(queries, random_queries(shifting((2, 0)), 500))
    assert set(queries[:, 0]) == set(range(6))
    assert (queries[:, 1] <= 127).all()
    assert (queries[:, 2] <= 95).all()


def test_a_grid_has_its_points_half_a_cell_from_the_border() -> None:
    queries = grid_queries(shifting((0, 0)), rows=2, columns=4, frame=1)
    assert queries[0].tolist() == [1, 15.5, 23.5]
    assert queries[-1].tolist() == [1, 111.5, 71.5]
