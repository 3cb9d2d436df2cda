from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pointaction.clip import Clip
from pointaction.errors import InputError
from pointaction.tracking.cotracker3 import CoTracker3Offline, Pyramid, State
from pointaction.tracking.cotracker3_tracker import (
    CoTracker3,
    predictor_grid,
    track_all,
)
from pointaction.tracks import Tracks
from tests.formulas import film
from tests.pointaction.tracking.official import filled

DATA = Path(__file__).parents[2] / "data"
GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "cotracker3_predictor.npz"

needs_shared = pytest.mark.skipif(
    not GOLDEN.exists(), reason="the reference outputs are not beside the checkout"
)


class Remembering(CoTracker3Offline):
    """The official model of the reference outputs. Its one clip is seen once for all tests."""

    def __init__(self) -> None:
        super().__init__()
        self.load_state_dict(filled().state_dict())
        with torch.no_grad():
            self.updateformer.vis_conf_head.bias[0] += 0.7  # half of the points are visible
        self.seen: Pyramid | None = None

    def features(
        self,
        video: Tensor,
        *,
        size: tuple[int, int] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Pyramid:
        if self.seen is None:
            self.seen = super().features(video, size=size, dtype=dtype)
        return self.seen


@cache
def official() -> CoTracker3Offline:
    return Remembering()


def official_clip() -> Clip:
    return Clip.from_frames(np.ascontiguousarray(film(8, 96, 128).transpose(0, 2, 3, 1)), fps=8)


def agree(ours: Tracks, theirs: dict[str, NDArray[np.float32]], name: str) -> None:
    xy = theirs[f"tracks_{name}"][0].transpose(1, 0, 2)
    np.testing.assert_allclose(ours.xy, xy, rtol=0, atol=2e-3)
    visible = theirs[f"vis_{name}"][0].T
    certain = np.ones_like(visible, bool)
    if name.startswith("queries"):  # the only ones whose probabilities are known
        certain = np.abs(theirs["rawvis_queries"][0].T - 0.9) > 1e-3
    assert (ours.visible == visible)[certain].all()


def test_tracks_both_ways_are_those_of_the_official_predictor() -> None:
    with np.load(DATA / "cotracker3_predictor.npz", allow_pickle=False) as theirs:
        tracks = CoTracker3(model=official()).track(official_clip(), theirs["queries"][0])
        agree(tracks, theirs, "queries_backward")


@needs_shared
def test_tracks_in_one_pass_are_those_of_the_official_predictor() -> None:
    with np.load(GOLDEN, allow_pickle=False) as theirs:
        tracker = CoTracker3(model=official(), both_ways=False)
        agree(tracker.track(official_clip(), theirs["queries"][0]), theirs, "queries")


@needs_shared
def test_a_grid_is_that_of_the_official_predictor() -> None:
    clip = official_clip()
    with np.load(GOLDEN, allow_pickle=False) as theirs:
        tracker = CoTracker3(model=official(), both_ways=False, support=0)
        queries = predictor_grid(clip, side=4, frame=3)
        agree(tracker.track(clip, queries), theirs, "grid4_qf3")


@needs_shared
def test_a_masked_grid_is_that_of_the_official_predictor() -> None:
    clip = official_clip()
    mask = np.zeros(clip.size, bool)
    mask[20:70, 30:100] = True
    with np.load(GOLDEN, allow_pickle=False) as theirs:
        tracker = CoTracker3(model=official(), both_ways=False)
        queries = predictor_grid(clip, side=6, frame=0, mask=mask)
        agree(tracker.track(clip, queries), theirs, "grid6_mask")


WAY = torch.tensor([0.5, -0.25])  # cells per frame


class Drifting(CoTracker3Offline):
    """Knows that all things drift by `WAY`, and remembers what it was asked.

    The number of each frame is read from its first pixel.
    """

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.register_buffer("time_emb", torch.zeros(1))
        self.frames_seen: list[int] = []
        self.starts: list[tuple[Pyramid, Tensor, State]] = []

    def features(
        self,
        video: Tensor,
        *,
        size: tuple[int, int] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Pyramid:
        numbers = video[:, 0, 0, 0]
        self.frames_seen += numbers.tolist()
        return Pyramid((numbers.float(),), torch.arange(len(video)))

    def describe(self, pyramid: Pyramid, queries: Tensor) -> Tensor:
        """(1, N, 1, 3): the frame and the place in cells where each was asked"""
        when = pyramid.maps[0][pyramid.order[queries[:, 0].long()]]
        return torch.cat([when[:, None], queries[:, 1:] / 4], 1)[None, :, None]

    def iterate(
        self,
        pyramid: Pyramid,
        looks: Tensor,
        state: State,
        iters: int,
        *,
        each: Callable[[], None] = lambda: None,
    ) -> State:
        self.starts.append((pyramid, looks, state))
        for _ in range(iters):
            each()
        when, place = looks[0, :, 0].split([1, 2], -1)
        since = pyramid.maps[0][pyramid.order] - when  # (N, T)
        sure = torch.full_like(since, 5.0)
        return State(place[:, None] + since[..., None] * WAY, sure, sure)


def numbered(frames: int) -> Clip:
    """A clip at the model's own size, whose pixels are the numbers of their frames."""
    pictures = np.broadcast_to(
        np.arange(frames, dtype=np.uint8)[:, None, None, None], (frames, 384, 512, 3)
    )
    return Clip(
        frames=pictures,
        times=np.arange(frames) / 10,
        sha256="00" * 32,
        source=Clip.from_frames(np.zeros((2, 4, 4, 3), np.uint8), fps=10).source,
    )


QUERIES = np.array(
    [[0, 100, 200], [7, 250, 100], [12, 60, 60], [30, 400, 300], [49, 200, 370]], np.float32
)


def drifted(queries: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    since = np.arange(frames) - queries[:, :1]
    truth = queries[:, None, 1:] + since[..., None] * 4 * WAY.numpy()
    return truth.astype(np.float32)


@pytest.mark.parametrize(("window", "overlap"), [(64, 8), (20, 5), (10, 1), (10, 9)])
@pytest.mark.parametrize("at_once", [2, 100])
def test_tracks_pass_from_window_to_window_both_ways(
    window: int, overlap: int, at_once: int
) -> None:
    tracker = CoTracker3(model=Drifting(), window=window, overlap=overlap, tracks_at_once=at_once)
    tracks = tracker.track(numbered(50), QUERIES)
    np.testing.assert_allclose(tracks.xy, drifted(QUERIES, 50), atol=1e-3)
    assert tracks.visible.all()


def test_a_window_starts_from_what_the_last_one_believed() -> None:
    model = Drifting()
    tracker = CoTracker3(model=model, window=20, overlap=5, support=0, iterations=1)
    tracker.track(numbered(50), QUERIES[:1])
    pyramid, _, state = model.starts[1]
    truth = torch.from_numpy(drifted(QUERIES[:1], 50)) / 4
    assert pyramid.maps[0].tolist() == list(range(15, 35))
    torch.testing.assert_close(state.xy[:, :5], truth[:, 15:20])
    torch.testing.assert_close(state.xy[:, 5:], truth[:, 19:20].expand(-1, 15, -1))
    assert state.visibility[0].tolist() == [5.0] * 5 + [0.0] * 15


def test_no_frame_is_looked_at_more_often_than_there_are_windows_on_it() -> None:
    model = Drifting()
    CoTracker3(model=model).track(numbered(50), QUERIES)
    assert model.frames_seen == list(range(50))  # once, for both ways


def test_support_points_are_in_every_window_of_every_group() -> None:
    model = Drifting()
    tracker = CoTracker3(model=model, window=20, overlap=5, tracks_at_once=1, support=3)
    tracker.track(numbered(50), QUERIES[:2])
    for _, looks, _ in model.starts:
        assert looks.shape[1] in (9, 9 + 1)


def test_where_nothing_comes_before_a_query_nothing_goes_back() -> None:
    model = Drifting()
    CoTracker3(model=model, iterations=1).track(numbered(10), QUERIES[:1])
    assert len(model.starts) == 1


def test_a_track_is_in_its_frame_where_it_was_asked() -> None:
    tracks = CoTracker3(model=Drifting(), visible_above=0.999).track(numbered(50), QUERIES)
    row, frame = np.arange(5), QUERIES[:, 0].astype(int)
    assert (tracks.xy[row, frame] == QUERIES[:, 1:]).all()
    assert (tracks.confidence[row, frame] == 1).all()
    assert tracks.visible.sum() == 5  # sigmoid(5) is 0.9933
    elsewhere = tracks.confidence[0, 1]
    np.testing.assert_allclose(elsewhere, (1 / (1 + np.exp(-5))) ** 2, rtol=1e-5)


def test_the_centres_of_corner_pixels_lie_on_each_other() -> None:
    model = Drifting()
    frames = np.zeros((3, 40, 30, 3), np.uint8)
    corners = np.array([[0, 0, 0], [0, 29, 39]], np.float32)
    CoTracker3(model=model, support=0).track(Clip.from_frames(frames, fps=5), corners)
    _, looks, _ = model.starts[0]
    np.testing.assert_allclose(looks[0, :, 0, 1:] * 4, [[0, 0], [511, 383]], rtol=1e-6)


def test_a_lost_point_stays_within_what_a_tracks_file_holds() -> None:
    far = np.array([[0, 100, -32_766]], np.float32)
    tracks = CoTracker3(model=Drifting()).track(numbered(5), far)  # one pixel up per frame
    assert tracks.xy[0, :, 1].tolist() == [-32_766, -32_767, -32_768, -32_768, -32_768]


def test_every_iteration_over_the_frames_of_a_window_is_counted() -> None:
    told: list[tuple[int, int]] = []
    tracker = CoTracker3(model=Drifting(), window=20, overlap=5, iterations=2, tracks_at_once=3)
    tracker.track(numbered(50), QUERIES, count=lambda *done: told.append(done))
    # Two sweeps of three windows, two groups, two iterations.
    assert told == [(20 * number, 480) for number in range(1, 25)]


def test_a_count_that_raises_stops_the_work() -> None:
    model = Drifting()

    def stop(done: int, total: int) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        CoTracker3(model=model).track(numbered(50), QUERIES, count=stop)
    assert len(model.starts) == 1


def test_the_expected_time_is_that_of_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(f"{CoTracker3.__module__}.perf_counter", lambda: next(ticks))
    tracker = CoTracker3(model=Drifting(), window=20, overlap=5, support=2, iterations=3)
    # A second for a frame, and a second for one iteration of 64 tracks and 64 virtual ones in 12
    # frames. Two sweeps of three windows of 20 frames; the window at the end is looked at once.
    # Windows end in frames 20, 35 and 50; forward 3, 4 and 5 of the queries have come by then, and
    # backward (they are in frames 0, 19, 37, 42 and 49) 2, 2 and 5. Each has 4 in support.
    tokens = 20 * (3 + 4 + 5 + 2 + 2 + 5 + 6 * (4 + 64))
    expected = 5 * 20 + 3 * tokens / (128 * 12)
    assert tracker.expected_seconds(numbered(50), QUERIES) == pytest.approx(expected)


def test_several_clips_are_answered_as_if_each_were_alone() -> None:
    tracker = CoTracker3(model=Drifting())
    long, short = track_all(tracker, [(numbered(50), QUERIES), (numbered(9), QUERIES[:2])])
    np.testing.assert_allclose(long.xy, drifted(QUERIES, 50), atol=1e-3)
    np.testing.assert_allclose(short.xy, drifted(QUERIES[:2], 9), atol=1e-3)


@pytest.mark.parametrize("frame", [-1, 50, np.nan])
def test_a_query_outside_the_clip_is_refused(frame: float) -> None:
    with pytest.raises(InputError):
        CoTracker3(model=Drifting()).track(numbered(50), np.array([[frame, 1, 1]], np.float32))


def test_one_frame_and_no_queries_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2 frames"):
        CoTracker3(model=Drifting()).track(numbered(1), QUERIES[:1])
    with pytest.raises(InputError, match="N >= 1"):
        CoTracker3(model=Drifting()).track(numbered(5), QUERIES[:0])


def test_windows_that_share_no_frame_are_refused() -> None:
    with pytest.raises(InputError, match="overlap"):
        CoTracker3(model=Drifting(), window=20, overlap=20)


def test_a_grid_keeps_a_sixty_fourth_of_the_width_from_every_border() -> None:
    grid = predictor_grid(numbered(2), side=3, frame=1)
    np.testing.assert_allclose(grid[0], [1, 8, 8], rtol=1e-6)
    np.testing.assert_allclose(grid[1], [1, 256, 8], rtol=1e-6)
    np.testing.assert_allclose(grid[-1], [1, 504, 376], rtol=1e-6)
