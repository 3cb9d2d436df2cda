import cv2
import numpy as np
import pytest
import torch

from pointaction.depth.network_input import network_input, network_size


@pytest.mark.parametrize(
    ("frame", "seen"),
    [
        ((1080, 1920), (518, 924)),  # 16:9, rounded to the nearest multiple of 14
        ((1920, 1080), (924, 518)),
        ((500, 500), (518, 518)),
        ((256, 340), (518, 686)),
        ((1000, 2000), (462, 924)),  # longer than 16:9: a smaller size
    ],
)
def test_sides_are_multiples_of_14_and_no_shorter_than_asked(
    frame: tuple[int, int], seen: tuple[int, int]
) -> None:
    assert network_size(frame) == seen


def test_a_size_that_is_no_multiple_of_14_is_rounded_up() -> None:
    assert network_size((300, 300), 60) == (70, 70)


def test_even_a_ribbon_is_a_patch_high() -> None:
    assert network_size((10, 4000))[0] == 14


@pytest.mark.parametrize("size", [(28, 42), (84, 98)])
def test_frames_are_resized_as_opencv_does_it(size: tuple[int, int]) -> None:
    """Smaller and larger than the frame, which is the way the networks were trained."""
    frame = np.random.default_rng(0).integers(0, 256, (57, 71, 3), dtype=np.uint8)
    theirs = cv2.resize(frame / np.float32(255), size[::-1], interpolation=cv2.INTER_CUBIC)
    theirs = (theirs - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    ours = network_input(torch.from_numpy(frame)[None], size)[0].permute(1, 2, 0)
    assert np.abs(ours.numpy() - theirs).max() < 1e-3


def test_a_frame_of_the_mean_colour_is_zero() -> None:
    colour = torch.tensor([0.485, 0.456, 0.406]) * 255
    pictures = network_input(colour.expand(1, 30, 30, 3), (14, 14))
    torch.testing.assert_close(pictures, torch.zeros(1, 3, 14, 14), rtol=0, atol=1e-5)
