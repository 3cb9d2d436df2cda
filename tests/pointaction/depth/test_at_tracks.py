import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.depth.at_tracks import along_tracks, at, lifted, turned_round
from pointaction.tokens.normalise import normalise_depth
from pointaction.tracks import Tracks


def shown(rows: list[list[int]]) -> NDArray[np.bool_]:
    return np.array(rows, dtype=bool)


def test_on_a_ramp_a_place_has_the_value_of_its_column() -> None:
    ramp = torch.arange(6.0).expand(4, 6)  # the value is x
    xy = torch.tensor([[0.0, 0.0], [2.5, 1.7], [5.0, 3.0]])
    torch.testing.assert_close(at(ramp, xy), xy[:, 0])
    torch.testing.assert_close(at(ramp.T.contiguous(), xy.flip(1)), xy[:, 0])


def test_beyond_the_border_is_the_border() -> None:
    ramp = torch.arange(6.0).expand(4, 6)
    xy = torch.tensor([[-3.0, -9.0], [70.0, 2.0]])
    torch.testing.assert_close(at(ramp, xy), torch.tensor([0.0, 5.0]))


def test_a_single_pixel_is_everywhere_alike() -> None:
    assert at(torch.full((1, 1), 7.0), torch.zeros(2, 2)).tolist() == [7, 7]


def test_each_frame_is_asked_at_its_own_places() -> None:
    maps = [torch.full((3, 3), 10.0), torch.arange(3.0).expand(3, 3)]
    xy = np.array([[[0, 0], [2, 0]], [[1, 1], [0.5, 2]]], np.float32)  # (2 tracks, 2 frames)
    assert along_tracks(maps, xy).tolist() == [[10, 2], [10, 0.5]]


def test_what_is_nearer_has_less_depth_and_the_mean_is_one() -> None:
    disparity = np.array([[4, 4], [2, 2]], np.float32)
    depth = turned_round(disparity, shown([[1, 1], [1, 1]]))
    np.testing.assert_allclose(depth, [[2 / 3, 2 / 3], [4 / 3, 4 / 3]], rtol=1e-6)


def test_a_hidden_point_keeps_the_depth_it_was_last_seen_at() -> None:
    disparity = np.array([[9, 1, 9, 3, 9]], np.float32)
    depth = turned_round(disparity, shown([[0, 1, 0, 1, 0]]))
    np.testing.assert_allclose(depth, [[1.5, 1.5, 1.5, 0.5, 0.5]])


def test_who_is_never_seen_has_depth_one() -> None:
    disparity = np.array([[9, 9], [1, 1]], np.float32)
    np.testing.assert_allclose(turned_round(disparity, shown([[0, 0], [1, 1]])), 1)


@pytest.mark.parametrize("visible", [True, False])
def test_an_empty_sky_is_flat(visible: bool) -> None:
    depth = turned_round(np.zeros((2, 3), np.float32), np.full((2, 3), visible))
    assert (depth == 1).all()


def test_tokens_have_of_depth_what_the_network_said_whatever_its_scale() -> None:
    """Shift and scale taken out, depth is disparity with its sign turned."""
    random = np.random.default_rng(0)
    disparity = random.uniform(0, 8, (5, 6)).astype(np.float32)
    xy = torch.from_numpy(random.uniform(0, 1, (1, 5, 6, 2)).astype(np.float32))
    everywhere = np.ones((5, 6), dtype=bool)
    said = normalise_depth(torch.from_numpy(disparity)[None], xy)
    for scale in (1, 40):
        depth = torch.from_numpy(turned_round(disparity * np.float32(scale), everywhere))[None]
        torch.testing.assert_close(normalise_depth(depth, xy), -said, rtol=1e-3, atol=1e-4)


def test_lifted_tracks_differ_in_depth_alone() -> None:
    tracks = Tracks(
        xy=np.array([[[0, 0], [1, 1]], [[2, 2], [2, 1]]], np.float32),
        visible=shown([[1, 1], [1, 1]]),
        confidence=np.ones((2, 2), np.float32),
        query=np.array([[0, 0, 0], [0, 2, 2]], np.float32),
        size=(3, 3),
        times=np.array([0.0, 0.1]),
    )
    nearer_to_the_right = torch.arange(1.0, 4).expand(3, 3)
    clip = Clip.from_frames(np.zeros((2, 3, 3, 3), np.uint8), fps=10)
    result = lifted(clip, tracks, [nearer_to_the_right, nearer_to_the_right])
    assert result.xy is tracks.xy
    assert result.depth is not None
    assert result.depth.dtype == np.float32
    assert result.depth[0, 0] > result.depth[0, 1] > result.depth[1, 0] == result.depth[1, 1]
