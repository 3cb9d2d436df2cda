import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from pointaction.evaluation.baselines import (
    against_camera,
    equal_strength,
    gradients,
    histogram,
    hof_mbh,
    mean_motion,
    warped_distances,
)
from pointaction.tracks import Tracks

RIGHT, DOWN = (1.0, 0.0), (0.0, 1.0)  # y grows downwards


def spread(count: int = 20) -> Tensor:
    """Places (N, 1, 2) all over the picture."""
    return torch.rand(count, 1, 2, generator=Generator().manual_seed(0))


def tracks(xy: Tensor) -> Tracks:
    """xy (N, 32, 2) in pixels of a picture 100 wide and high, always visible."""
    count, frames = xy.shape[:2]
    return Tracks(
        xy=xy.numpy().astype(np.float32),
        visible=np.ones((count, frames), bool),
        confidence=np.ones((count, frames), np.float32),
        query=np.zeros((count, 3), np.float32),
        size=(100, 100),
        times=np.linspace(0, 1, frames),
        depth=np.ones((count, frames), np.float32),
    )


def moving(step: tuple[float, float], *, count: int = 20, resting: int = 0) -> Tracks:
    """Tracks of which all but `resting` take `step` pixels a frame."""
    way = torch.arange(32)[None, :, None] * torch.tensor(step)
    who = (torch.arange(count) >= resting)[:, None, None]
    return tracks(100 * spread(count) + way * who)


@pytest.mark.parametrize(("step", "direction"), [(RIGHT, 0), (DOWN, 2), ((-1.0, 0.0), 4)])
def test_a_common_direction_fills_one_bin(step: tuple[float, float], direction: int) -> None:
    steps = torch.tensor(step).expand(5, 31, 2)
    filled = histogram(steps, torch.ones(5, 31).bool())
    assert filled.sum() == pytest.approx(5 * 31)
    assert filled[:, direction].sum() == pytest.approx(5 * 31)


def test_a_step_halfway_between_two_directions_is_shared() -> None:
    angle = torch.tensor(torch.pi / 8)
    steps = torch.stack([angle.cos(), angle.sin()]).expand(1, 8, 2)
    filled = histogram(steps, torch.ones(1, 8).bool())
    torch.testing.assert_close(filled[:, :2], torch.full((8, 2), 0.5))


def test_time_is_divided_in_eight() -> None:
    steps = torch.zeros(1, 32, 2)
    steps[0, :4, 0] = 1.0
    filled = histogram(steps, torch.ones(1, 32).bool())
    assert filled[0, 0] == 4
    assert filled[1:].sum() == 0


def test_hidden_steps_do_not_count() -> None:
    assert histogram(torch.ones(3, 8, 2), torch.zeros(3, 8).bool(), still=0.1).sum() == 0


def test_what_stands_still_has_a_bin_of_its_own() -> None:
    filled = histogram(torch.zeros(3, 8, 2), torch.ones(3, 8).bool(), still=0.5)
    assert filled[:, 8].tolist() == [1.5] * 8
    assert filled[:, :8].sum() == 0


def test_a_translation_has_no_motion_boundaries() -> None:
    step = torch.tensor([0.25, -0.5]).expand(20, 31, 2)
    for change in gradients(spread().expand(-1, 31, -1), step, torch.ones(20, 31).bool()):
        assert change.abs().max() == 0


def test_a_zoom_changes_x_along_x_and_y_along_y() -> None:
    place = spread().expand(-1, 4, -1)
    x_change, y_change = gradients(place, 0.1 * place, torch.ones(20, 4).bool())
    torch.testing.assert_close(x_change, torch.tensor([0.1, 0]).expand(20, 4, 2), atol=1e-3, rtol=0)
    torch.testing.assert_close(y_change, torch.tensor([0, 0.1]).expand(20, 4, 2), atol=1e-3, rtol=0)


def test_hidden_neighbours_are_not_asked() -> None:
    place, seen = spread().expand(-1, 4, -1), torch.ones(20, 4).bool()
    step = torch.zeros(20, 4, 2)
    step[10:] = 7.0
    seen[10:] = False
    x_change, _ = gradients(place, step, seen)
    assert x_change[:10].abs().max() == 0


def test_each_histogram_has_length_one_and_nothing_stays_nothing() -> None:
    features = hof_mbh(moving((0.0, 0.0)))
    assert features[:72].norm() == pytest.approx(1)  # all of it in the bin of what stands still
    assert features[72:].norm() == 0


def test_without_the_camera_only_what_leaves_it_behind_counts() -> None:
    clip = moving((0.0, 2.0), resting=15)  # five of twenty move, the rest are the picture
    flow = hof_mbh(clip, camera=False)[:72].view(8, 9)
    assert flow[:, 2].square().sum() == pytest.approx(1)
    panned = hof_mbh(moving((3.0, 0.0)), camera=False)
    assert panned.norm() == 0


def test_the_camera_is_what_most_tracks_do() -> None:
    step = torch.tensor([0.5, 0.0]).repeat(5, 3, 1)
    step[0] = torch.tensor([0.5, 0.25])
    own, left = against_camera(step, torch.ones(5, 3).bool())
    torch.testing.assert_close(own[0], torch.tensor([0.0, 0.25]).expand(3, 2))
    assert left.sum(1).tolist() == [3, 0, 0, 0, 0]


def test_mean_motion_is_that_of_the_movers() -> None:
    motion = mean_motion(moving((0.0, 2.0), resting=15))
    torch.testing.assert_close(motion, torch.tensor([0.0, 0.02]).expand(31, 2))
    assert mean_motion(moving((3.0, 0.0))).abs().max() == 0  # all of it is the camera's


def test_a_stretched_copy_is_at_no_distance() -> None:
    short = torch.randn(1, 10, 2, generator=Generator().manual_seed(0))
    stretched = short.repeat_interleave(2, 1)
    held = torch.cat([short, short[:, -1:].expand(-1, 10, -1)], 1)
    apart = warped_distances(torch.cat([stretched, held, -held]))
    assert apart[0, 1] == 0
    assert apart[0, 2] > 0.1
    torch.testing.assert_close(apart, apart.T)


def test_the_order_of_what_happens_is_kept() -> None:
    rise = torch.tensor([[[0.0], [0.0], [1.0], [1.0]]])
    assert warped_distances(torch.cat([rise, rise.flip(1)]))[0, 1] == 0.5  # 4 of cost, 8 steps


def test_equal_strength_leaves_the_form_alone() -> None:
    motion = torch.randn(1, 31, 2, generator=Generator().manual_seed(0))
    weak, strong, none = equal_strength(torch.cat([0.1 * motion, 10 * motion, 0 * motion]))
    torch.testing.assert_close(weak, strong)
    assert weak.square().sum(-1).mean() == pytest.approx(1)
    assert none.abs().max() == 0
