from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.errors import InputError
from pointaction.explain.canvas import display_weights
from pointaction.explain.overlay import draw_overlay, write_overlay
from pointaction.explain.sheet import contact_sheet
from pointaction.tracks import Tracks


def tracks_through(*paths: list[tuple[float, float]], size: tuple[int, int] = (60, 80)) -> Tracks:
    """Visible tracks that go through the given places, one per frame."""
    xy = np.array(paths, np.float32)
    count, length = xy.shape[:2]
    return Tracks(
        xy=xy,
        visible=np.ones((count, length), np.bool_),
        confidence=np.ones((count, length), np.float32),
        query=np.concatenate([np.zeros((count, 1)), xy[:, 0]], axis=-1).astype(np.float32),
        size=size,
        times=np.arange(length) / 4.0,
    )


def near(picture: NDArray[np.uint8], x: float, y: float, scale: float = 8) -> NDArray[np.uint8]:
    """The colour drawn at a place of the clip."""
    return picture[round((y + 0.5) * scale - 0.5), round((x + 0.5) * scale - 0.5)]


STILL = [(20.0, 30.0)] * 4
MOVING = [(50.0, 10.0), (50.0, 20.0), (50.0, 30.0), (50.0, 40.0)]


def test_points_lie_where_the_tracks_say() -> None:
    pictures = list(draw_overlay(None, tracks_through(STILL, MOVING), np.array([0.0, 1.0])))
    assert len(pictures) == 4
    assert pictures[0].shape == (480, 640, 3)
    for t, (x, y) in enumerate(MOVING):
        assert near(pictures[t], x, y).min() > 120  # the heaviest is pale yellow
    assert near(pictures[0], 70, 50).max() == 0  # nothing elsewhere


def test_weight_is_colour_and_size() -> None:
    last = list(draw_overlay(None, tracks_through(STILL, MOVING), np.array([0.1, 0.9])))[0]
    light, heavy = last[:, :320], last[:, 320:]
    assert heavy.max() > light.max()
    assert (heavy.max(axis=-1) > 60).sum() > 4 * (light.max(axis=-1) > 20).sum() > 0


def test_a_trail_fades_and_ends() -> None:
    pictures = list(
        draw_overlay(None, tracks_through(STILL, MOVING), np.array([0.0, 1.0]), trail=2)
    )
    newer, older, gone = (near(pictures[3], 50, y).max() for y in (33, 25, 12))
    assert newer > older > gone == 0


def test_hidden_points_are_not_drawn() -> None:
    tracks = tracks_through(STILL, MOVING)
    tracks.visible[1, 2:] = False
    pictures = list(draw_overlay(None, tracks, np.array([0.0, 1.0])))
    assert pictures[1][:, 320:].max() > 0
    assert pictures[3][:, 320:].max() == 0


def test_the_clip_shows_through_but_dimmed() -> None:
    frames = np.full((4, 60, 80, 3), (200, 100, 50), np.uint8)
    picture = next(draw_overlay(frames, tracks_through(STILL, MOVING), np.array([0.0, 1.0])))
    red, green, blue = near(picture, 70, 50).astype(int)
    assert 200 > red > green > blue > 0
    assert red - blue < 150 / 2  # less colour than before


def test_a_heavy_point_lies_on_top_of_a_light_one() -> None:
    heavy_first = tracks_through(STILL, STILL, MOVING)
    for weights in (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])):
        picture = next(draw_overlay(None, heavy_first, weights))
        assert near(picture, 20, 30).min() > 120


def test_clips_of_other_sizes_are_drawn_in_proportion() -> None:
    for size, drawn in {
        (256, 456): (480, 856),
        (1080, 1920): (720, 1280),
        (10, 8000): (2, 1280),
        (16_000, 16_000): (1280, 1280),
    }.items():
        tracks = tracks_through([(1.0, 1.0), (5.0, 5.0)], size=size)
        picture = next(draw_overlay(None, tracks, np.ones(1)))
        assert picture.shape == (*drawn, 3)


def test_far_away_positions_do_no_harm() -> None:
    tracks = tracks_through([(1e4, -1e4), (-1e4, 3e4)])
    for picture in draw_overlay(None, tracks, np.ones(1)):
        assert picture.shape == (480, 640, 3)


@pytest.mark.parametrize(
    "weights", [np.ones(3), np.ones((1, 2)), np.array([np.nan, 1.0]), np.array([np.inf, 1.0])]
)
def test_weights_must_be_one_finite_number_per_track(weights: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="weights must be 2 finite numbers"):
        draw_overlay(None, tracks_through(STILL, MOVING), weights)


def test_the_clip_must_be_as_long_as_the_tracks() -> None:
    with pytest.raises(InputError, match="the tracks have 4 frames"):
        draw_overlay(np.zeros((3, 60, 80, 3), np.uint8), tracks_through(STILL), np.ones(1))


def test_weights_of_any_scale_use_the_whole_range() -> None:
    weights = np.random.default_rng(0).exponential(1e-3, 512)
    shown = display_weights(weights)
    assert shown.min() == 0
    assert shown.max() == 1
    np.testing.assert_allclose(shown, display_weights(weights * 1000), atol=1e-5)


def test_weights_that_hardly_differ_stay_cold() -> None:
    weights = 1 + 0.01 * np.random.default_rng(0).random(512)
    assert display_weights(weights).max() < 0.15
    assert display_weights(np.full(8, 1 / 8)).max() == 0


def test_a_contact_sheet_shows_eight_moments(tmp_path: Path) -> None:
    tracks = tracks_through([(4.0 + 4 * t, 30.0) for t in range(18)])
    path = tmp_path / "sheet.png"
    write_overlay(path, None, tracks, np.ones(1), format="png")
    read = cv2.imread(str(path))
    assert read is not None
    drawings = draw_overlay(None, tracks, np.ones(1))
    np.testing.assert_array_equal(read[..., ::-1], contact_sheet(drawings, tracks.times))
    height, width = read.shape[:2]
    assert (width, height) == (4 * 408 + 8, 2 * 308 + 8 + 32)


def test_a_sheet_of_fewer_frames_than_tiles_repeats_them() -> None:
    tracks = tracks_through(STILL)
    drawings = draw_overlay(None, tracks, np.ones(1))
    assert contact_sheet(drawings, tracks.times, columns=3, rows=3).any()


@pytest.mark.parametrize(("per_second", "expected"), [(1.0, 8.0), (12.0, 12.0), (600.0, 60.0)])
def test_the_video_runs_at_the_pace_of_the_clip(
    tmp_path: Path, per_second: float, expected: float
) -> None:
    tracks = tracks_through([(4.0 + t, 30.0) for t in range(10)])
    tracks.times[:] = np.arange(10) / per_second
    path = tmp_path / "overlay.mp4"
    frames = np.full((10, 60, 80, 3), 90, np.uint8)
    write_overlay(path, frames, tracks, np.ones(1), format="mp4")
    with av.open(str(path)) as file:
        assert float(file.streams.video[0].average_rate or 0) == pytest.approx(expected, rel=0.01)
        assert sum(1 for _ in file.decode(video=0)) == 10


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mp4 or png, not 'gif'"):
        write_overlay(tmp_path / "o.gif", None, tracks_through(STILL), np.ones(1), format="gif")
