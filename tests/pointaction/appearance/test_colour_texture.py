import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.appearance.colour_texture import ColourTexture
from pointaction.clip import Clip


def told(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    return ColourTexture(grid=4).describe(Clip.from_frames(frame[None], fps=1))[0]


def test_a_flat_patch_has_its_colour_and_no_texture() -> None:
    frame = np.full((64, 96, 3), 255, np.uint8)
    frame[16:32, 24:48] = (255, 0, 0)  # second row, second column
    found = told(frame)
    assert found.shape == (4, 4, 11)
    assert found[3, 3] == pytest.approx([5, *[0] * 10], abs=0.01)  # L = 100, in units of 20
    # Pure red is L 53, a 80, b 67.
    assert found[1, 1, :3] == pytest.approx([53.2 / 20, 80.1 / 20, 67.2 / 20], abs=0.05)


def test_stripes_are_told_by_their_direction() -> None:
    bright = (np.arange(64) // 4 % 2 * 255).astype(np.uint8)
    upright = np.repeat(np.broadcast_to(bright, (64, 64))[..., None], 3, -1)
    lying = upright.transpose(1, 0, 2)
    assert told(upright)[1:3, 1:3, 3:].argmax(-1).tolist() == [[0, 0], [0, 0]]
    assert told(lying)[1:3, 1:3, 3:].argmax(-1).tolist() == [[4, 4], [4, 4]]
    np.testing.assert_allclose(told(upright)[..., :3], told(lying)[..., :3], atol=0.05)
