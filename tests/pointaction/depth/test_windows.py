"""Frames are numbers here, and what is known of a frame by itself is the frame."""

import pytest
import torch
from torch import Tensor

from pointaction.depth.windows import blended, depth_maps, fit, stitched, window_count, window_maps


class Watcher:
    """An encoder and a decoder that remember what they were asked."""

    def __init__(self) -> None:
        self.encoded: list[int] = []
        self.windows: list[list[int]] = []

    def encode(self, frames: list[int]) -> list[int]:
        self.encoded += frames
        return frames

    def decode(self, window: list[int], wanted: int) -> Tensor:
        """Each frame's own pattern, in a scale and shift that change from window to window."""
        self.windows.append(window)
        scale, shift = [(1.0, 0.0), (0.5, 0.25), (3.0, 1.0), (0.1, 2.0)][len(self.windows) - 1]
        return torch.stack([pattern(frame) for frame in window[:wanted]]) * scale + shift


def pattern(frame: int) -> Tensor:
    return 2 + torch.sin(torch.arange(12.0) * (1 + frame)).view(3, 4)


def watch(frames: int) -> tuple[Watcher, list[Tensor]]:
    watcher = Watcher()
    maps = depth_maps(range(frames), encode=watcher.encode, decode=watcher.decode)
    return watcher, list(maps)


def test_windows_begin_with_key_frames_and_the_last_eight() -> None:
    watcher, _ = watch(60)
    first, second, third = watcher.windows
    assert first == list(range(32))
    assert second == [0, 12, *range(24, 32), *range(32, 54)]
    # Slot 12 of the second window is frame 34; the last frame fills the third.
    assert third == [0, 34, *range(46, 54), *range(54, 60), *[59] * 16]


@pytest.mark.parametrize(("frames", "windows"), [(1, 1), (24, 1), (25, 2), (46, 2), (47, 3)])
def test_there_is_a_window_for_every_22_frames_but_none_for_nothing(
    frames: int, windows: int
) -> None:
    assert len(watch(frames)[0].windows) == windows


@pytest.mark.parametrize("frames", [1, 8, 24, 25, 31, 32, 33, 46, 47, 54, 76])
def test_windows_in_scales_of_their_own_become_one_video(frames: int) -> None:
    watcher, maps = watch(frames)
    assert watcher.encoded == list(range(frames))  # each once
    expected = torch.stack([pattern(frame) for frame in range(frames)])
    torch.testing.assert_close(torch.stack(maps), expected, rtol=1e-4, atol=1e-4)


def test_no_frames_give_no_maps() -> None:
    assert watch(0)[1] == []


def test_frames_are_asked_for_as_they_are_needed() -> None:
    watcher = Watcher()
    maps = depth_maps(range(10_000), encode=watcher.encode, decode=watcher.decode)
    for _ in range(24):
        next(maps)
    assert len(watcher.encoded) == 32
    next(maps)
    assert len(watcher.encoded) == 54


def test_copies_of_the_last_frame_get_no_depth() -> None:
    watcher = Watcher()
    maps = window_maps(range(30), encode=watcher.encode, decode=watcher.decode)
    # The second window holds frames 0 and 12, 24 to 29, and copies.
    assert [len(each) for each in maps] == [30, 8]


@pytest.mark.parametrize("frames", [1, 24, 25, 32, 46, 47, 68, 69, 90])
def test_windows_can_be_counted_ahead(frames: int) -> None:
    watcher = Watcher()
    maps = window_maps(range(frames), encode=watcher.encode, decode=watcher.decode)
    assert window_count(frames) == len(list(maps))


def test_one_window_gives_way_to_the_next_over_eight_frames() -> None:
    """Both agree on the key frames; where the first says 4, the second says 11."""
    first, second = torch.full((32, 2, 2), 4.0), torch.full((10, 2, 2), 11.0)
    first[[0, 12]] = second[[0, 1]] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    maps = list(stitched([first, second]))
    assert len(maps) == 32
    assert [each[0, 0].item() for each in maps[22:]] == pytest.approx([4, 4, *range(4, 12)])


def test_nothing_is_farther_than_infinity() -> None:
    first, second = torch.zeros(32, 1, 2), torch.zeros(10, 1, 2)
    first[[0, 12]], second[:2] = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0])
    assert torch.stack(list(stitched([first, second]))).min() == 0


def test_the_fit_finds_scale_and_shift() -> None:
    maps = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(0))
    assert fit(maps, 3 * maps + 2) == pytest.approx((3, 2), rel=1e-5)


def test_where_nothing_can_be_fitted_nothing_changes() -> None:
    assert fit(torch.full((2, 3, 3), 0.7), torch.rand(2, 3, 3)) == (1, 0)


def test_a_blend_begins_with_the_one_and_ends_with_the_other() -> None:
    mixed = blended(torch.zeros(8, 1, 1), torch.ones(8, 1, 1))
    assert mixed.flatten().tolist() == pytest.approx([i / 7 for i in range(8)])
