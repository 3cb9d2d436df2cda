import math

import pytest
import torch
from torch import Tensor

from pointaction.tokens.hod import oriented_displacements, pyramid
from tests.goldens import Arrays, needs_shared, recorded, reference


def walk(*steps: tuple[float, float]) -> Tensor:
    return torch.tensor([(0.0, 0.0), *steps], dtype=torch.float64).cumsum(0)


def test_a_displacement_in_the_direction_of_a_bin_is_all_in_that_bin() -> None:
    rows = oriented_displacements(walk((2, 0), (0, 3), (-1, 0)), bins=4)
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[1, 2], expected[2, 3], expected[3, 0] = 2, 3, 1  # right, down, left
    torch.testing.assert_close(rows, expected)


def test_the_nearer_bin_gets_more() -> None:
    quarter = math.pi / 2 / 4  # a quarter of the way from right to down
    step = (math.cos(quarter), math.sin(quarter))
    right, down = oriented_displacements(walk(step), bins=4)[1, 2:]
    assert right.item() == pytest.approx(0.75)
    assert down.item() == pytest.approx(0.25)
    released = oriented_displacements(walk(step), bins=4, as_released=True)[1, 2:]
    torch.testing.assert_close(released, torch.stack([down, right]))


def test_a_little_turn_changes_little_across_the_edge_of_a_bin() -> None:
    rows = [oriented_displacements(walk((-1, y)))[1] for y in (-1e-6, 1e-6)]
    torch.testing.assert_close(rows[0], rows[1], rtol=0, atol=1e-4)


def test_rows_add_up_to_the_way_gone() -> None:
    xy = torch.randn(5, 8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    way = torch.diff(xy, dim=1).norm(dim=-1).sum(1)
    torch.testing.assert_close(oriented_displacements(xy).sum((1, 2)), way)


def test_delta_looks_that_far_back() -> None:
    xy = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))
    rows = oriented_displacements(xy, delta=2)
    assert not rows[:, :2].any()
    torch.testing.assert_close(rows[:, 2::2], oriented_displacements(xy[:, ::2])[:, 1:])


def is_the_released(theirs: Arrays) -> None:
    xy = torch.from_numpy(theirs["points"])
    for bins in (8, 32):
        rows = oriented_displacements(xy, bins=bins, as_released=True)
        same(rows, theirs[f"hist_bins{bins}_temporal"])
        same(rows.sum(1), theirs[f"hist_bins{bins}"])
    apart = oriented_displacements(xy, bins=8, delta=2, as_released=True)
    same(apart, theirs["hist_bins8_delta2_temporal"])
    same(pyramid(oriented_displacements(xy, bins=8, as_released=True)), theirs["pyramid3_bins8"])


def same(ours: Tensor, theirs: object) -> None:
    torch.testing.assert_close(ours, torch.as_tensor(theirs), rtol=0, atol=1e-12)


def test_as_released_it_is_the_released_descriptor() -> None:
    is_the_released(recorded("hod"))


@needs_shared
def test_as_released_it_is_the_released_descriptor_on_everything() -> None:
    theirs = reference("hod")
    is_the_released(theirs)
    moving = torch.from_numpy(theirs["cluster_points"])[:, ::4]
    same(oriented_displacements(moving, as_released=True).sum(1), theirs["cluster_hist_bins32"])
