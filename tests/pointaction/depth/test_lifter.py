from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointaction.clip import Clip
from pointaction.depth.base import Lifter
from pointaction.depth.lifter import VideoDepthAnything
from pointaction.depth.network_input import network_input
from pointaction.depth.windows import stitched
from pointaction.errors import InputError
from pointaction.tracks import Tracks
from tests.formulas import film
from tests.pointaction.depth.official import DATA, GOLDEN, filled


def frames(count: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(film(count, height, width).transpose(0, 2, 3, 1))


@pytest.fixture(scope="module")
def depth() -> NDArray[np.float32]:
    """What we make of the reference's long video: (60, 60, 80)."""
    lifter = VideoDepthAnything(filled(), input_size=70)
    return torch.stack(list(lifter.maps(frames(60, 60, 80), size=(60, 80)))).numpy()


def still_tracks(clip: Clip, points: list[tuple[int, int]]) -> Tracks:
    xy = np.array(points, np.float32)
    count, length = len(points), len(clip.times)
    return Tracks(
        xy=np.repeat(xy[:, None], length, axis=1),
        visible=np.ones((count, length), bool),
        confidence=np.ones((count, length), np.float32),
        query=np.concatenate([np.zeros((count, 1), np.float32), xy], axis=1),
        size=clip.size,
        times=clip.times,
    )


def test_a_long_video_has_the_depth_of_the_reference(depth: NDArray[np.float32]) -> None:
    expected = np.load(DATA / "video_depth_anything.npz", allow_pickle=False)["stitched"]
    assert depth.shape == (60, 60, 80)
    assert np.abs(depth[:, ::12, ::16] - expected).max() < 5e-4


@pytest.mark.skipif(not GOLDEN.exists(), reason="the whole reference outputs are not at hand")
def test_a_long_video_has_the_depth_of_the_reference_everywhere(
    depth: NDArray[np.float32],
) -> None:
    golden = np.load(GOLDEN / "vda_small_infer.npz", allow_pickle=False)
    assert np.abs(depth[:, ::4, ::4] - golden["depth_every4"]).max() < 5e-4
    assert np.abs(depth[26] - golden["depth_frame26"]).max() < 5e-4
    assert np.abs(depth[45] - golden["depth_frame45"]).max() < 5e-4


def test_frames_remembered_give_what_frames_encoded_again_would() -> None:
    """The original's way for 36 frames: two whole windows, every frame through all of it."""
    clip, network = frames(36, 28, 42), filled()
    slots = [list(range(32)), [0, 12, *range(24, 36), *[35] * 18]]

    def whole_windows() -> Iterator[Tensor]:
        for window, count in zip(slots, (32, 14), strict=True):
            pictures = network_input(torch.from_numpy(clip[window]), (28, 42))
            with torch.inference_mode():
                yield network(pictures[None])[0, :count]

    expected = torch.stack(list(stitched(whole_windows())))
    lifter = VideoDepthAnything(network, input_size=28, together=5)
    ours = torch.stack(list(lifter.maps(clip, size=(28, 42))))
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)


def test_tracks_get_the_depth_at_their_places() -> None:
    clip = Clip.from_frames(frames(3, 28, 42), fps=10)
    lifter: Lifter = VideoDepthAnything(filled(), input_size=28)
    result = lifter.lift(clip, still_tracks(clip, [(0, 0), (41, 27), (20, 10)]))
    maps = VideoDepthAnything(filled(), input_size=28).maps(clip.frames, size=clip.size)
    there = np.stack([each[[0, 27, 10], [0, 41, 20]].numpy() for each in maps], axis=1)
    assert result.depth is not None
    np.testing.assert_allclose(result.depth, 2 - there / there.mean(), rtol=1e-3, atol=1e-3)


def test_a_frame_counts_when_it_is_seen_and_again_when_it_has_its_map() -> None:
    clip = Clip.from_frames(frames(5, 28, 42), fps=10)
    told: list[tuple[int, int]] = []
    lifter = VideoDepthAnything(filled(), input_size=28, together=2)
    lifter.lift(clip, still_tracks(clip, [(1, 1)]), count=lambda *done: told.append(done))
    assert told == [(halves, 10) for halves in (2, 4, 5, 6, 7, 8, 9, 10)]


def test_the_expected_time_is_that_of_looking_and_of_whole_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr("pointaction.timing.perf_counter", lambda: next(ticks))
    clip = Clip.from_frames(frames(25, 28, 42), fps=10)
    lifter = VideoDepthAnything(filled(), input_size=28)
    # A second to look at one frame, and one for two maps; 25 frames take two windows of 32.
    assert lifter.expected_seconds(clip) == 25 + 32


def test_tracks_of_another_clip_are_refused() -> None:
    clip = Clip.from_frames(frames(3, 28, 42), fps=10)
    shorter = Clip.from_frames(frames(2, 28, 42), fps=10)
    with pytest.raises(InputError, match=r"2 frames .* the clip has 3"):
        VideoDepthAnything(filled()).lift(clip, still_tracks(shorter, [(1, 1)]))


def test_half_precision_stays_near() -> None:
    clip = frames(2, 28, 42)
    full, half = (
        torch.stack(
            list(
                VideoDepthAnything(filled(), input_size=28, precision=precision).maps(
                    clip, size=(28, 42)
                )
            )
        )
        for precision in (torch.float32, torch.bfloat16)
    )
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().mean() < 0.05 * full.std()
