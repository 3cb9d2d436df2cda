from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.errors import InputError
from pointaction.explain.heat_overlay import draw_heat, write_heat

GREY = np.full((4, 60, 80, 3), 120, np.uint8)


def maps(count: int, *warm: tuple[int, int, int]) -> NDArray[np.float32]:
    """Maps of 3 x 4 cells that are cold but at the given places."""
    made = np.zeros((count, 3, 4), np.float32)
    for place in warm:
        made[place] = 1
    return made


def test_what_counted_is_warm_and_the_rest_is_the_dimmed_clip() -> None:
    picture = next(draw_heat(GREY, maps(4, (0, 0, 3))))
    warm, cold = picture[10, -10].astype(int), picture[-10, 10].astype(int)
    assert warm[0] > warm[2] + 50  # yellow and red on a grey ground
    assert cold.max() - cold.min() <= 1
    assert cold.max() < 120


def test_a_map_is_shown_in_its_own_frame() -> None:
    pictures = list(draw_heat(GREY, maps(4, (2, 1, 1))))
    coloured = [int(np.ptp(picture.astype(int), axis=-1).max()) > 50 for picture in pictures]
    assert coloured == [False, False, True, False]


def test_fewer_maps_than_frames_are_spread_over_the_clip() -> None:
    pictures = list(draw_heat(GREY, maps(2, (1, 1, 1))))
    coloured = [int(np.ptp(picture.astype(int), axis=-1).max()) > 50 for picture in pictures]
    assert coloured == [False, False, True, True]


def test_equal_weights_leave_the_clip_as_it_is() -> None:
    picture = next(draw_heat(GREY, np.full((4, 1, 1), 0.25)))
    assert int(np.ptp(picture.astype(int), axis=-1).max()) <= 1


def test_it_is_a_video_or_a_sheet(tmp_path: Path) -> None:
    times = np.arange(4) / 10
    write_heat(tmp_path / "heat.png", GREY, times, maps(4, (0, 0, 0)), format="png")
    sheet = cv2.imread(str(tmp_path / "heat.png"))
    assert sheet is not None
    assert sheet.shape[1] == 4 * 408 + 8
    write_heat(tmp_path / "heat.mp4", GREY, times, maps(4, (0, 0, 0)), format="mp4")
    with av.open(str(tmp_path / "heat.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) == 4


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 4)), np.zeros((0, 3, 4)), np.full((1, 1, 1), np.nan)]
)
def test_what_is_no_map_is_refused(wrong: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="finite numbers"):
        draw_heat(GREY, wrong)
