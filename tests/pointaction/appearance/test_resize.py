import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from pointaction.appearance.resize import resized

SIZES = [(224, 224), (224, 298), (31, 20), (48, 64), (301, 7)]


def picture() -> torch.Tensor:
    """(3, 48, 64): noise, and edges from black to white, where filters overshoot."""
    drawn = np.random.default_rng(0).integers(256, size=(3, 48, 64), dtype=np.uint8)
    drawn[0, :24] = np.arange(64) // 7 % 2 * 255
    return torch.from_numpy(drawn)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
def test_bytes_are_pillow_s(size: tuple[int, int], resample: str) -> None:
    image = pytest.importorskip("PIL.Image")
    drawn = image.fromarray(picture().permute(1, 2, 0).numpy())
    expected = np.asarray(drawn.resize(size[::-1], getattr(image.Resampling, resample.upper())))
    found = resized(picture(), size, resample)
    assert found.permute(1, 2, 0).numpy().tolist() == expected.tolist()


@pytest.mark.parametrize("size", [(33, 50), (100, 130)])
def test_bytes_are_near_pytorch_s(size: tuple[int, int]) -> None:
    expected = interpolate(picture()[None], size, mode="bilinear", antialias=True)[0]
    assert (resized(picture(), size, "bilinear") - expected.int()).abs().max() <= 1


def test_a_size_that_is_right_changes_nothing() -> None:
    for resample in ("bilinear", "bicubic"):
        assert resized(picture(), (48, 64), resample).equal(picture().int())


def test_half_the_size_is_the_mean_of_neighbours_with_their_neighbours() -> None:
    """Linear weights reach twice as far: 1, 3, 3, 1 of 8; at the ends without what is missing."""
    row = torch.tensor([[[0, 0, 80, 80, 0, 0]]], dtype=torch.uint8)
    assert resized(row, (1, 3), "bilinear").flatten().tolist() == [11, 60, 11]  # 80/7, 480/8
