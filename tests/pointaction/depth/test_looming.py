import torch
from torch import Generator, Tensor

from pointaction.depth.looming import looming


def patch(scale: Tensor, *, points: int = 40) -> Tensor:
    """Points (1, N, T, 2) of a patch that is seen at `scale` (T,) about (0.5, 0.5)."""
    spots = torch.rand(points, 1, 2, generator=Generator().manual_seed(0)) * 0.2 - 0.1
    return (0.5 + spots * scale[None, :, None])[None]


def everywhere(xy: Tensor) -> Tensor:
    return torch.ones(xy.shape[:3], dtype=torch.bool)


def test_twice_as_large_is_half_as_far() -> None:
    xy = patch(torch.tensor([1.0, 2.0, 4.0]))
    depth = looming(xy, everywhere(xy))
    torch.testing.assert_close(
        depth[..., 0] / depth[..., 1], torch.full((1, 40), 2.0), rtol=0.1, atol=0
    )
    assert (depth[..., 2] < depth[..., 1]).all()


def test_what_only_moves_sideways_stays_at_depth_one() -> None:
    xy = patch(torch.ones(5)) + torch.linspace(0, 0.3, 5)[None, None, :, None]
    torch.testing.assert_close(looming(xy, everywhere(xy)), torch.ones(1, 40, 5), rtol=0, atol=1e-3)


def test_a_lone_track_has_depth_one() -> None:
    xy = torch.rand(1, 2, 6, 2)
    visible = everywhere(xy)
    visible[0, 1] = False
    assert (looming(xy, visible)[0, 0] == 1).all()


def test_two_bodies_do_not_mix() -> None:
    """One patch comes nearer, another stands still beside it: each has its own depth."""
    growing = patch(torch.tensor([1.0, 1.5, 2.0])) - 0.3
    still = patch(torch.ones(3)) + 0.3
    xy = torch.cat([growing, still], 1)
    depth = looming(xy, everywhere(xy))
    assert (depth[0, :40, 0] > 1.2 * depth[0, :40, 2]).all()
    torch.testing.assert_close(depth[0, 40:], torch.ones(40, 3), rtol=0, atol=0.02)


def test_the_order_of_tracks_does_not_matter() -> None:
    xy = patch(torch.tensor([1.0, 1.2, 1.4, 1.1]))
    shuffle = torch.randperm(40, generator=Generator().manual_seed(1))
    torch.testing.assert_close(
        looming(xy[:, shuffle], everywhere(xy)), looming(xy, everywhere(xy))[:, shuffle]
    )


def test_hidden_everywhere_is_still_finite() -> None:
    xy = torch.rand(1, 5, 4, 2)
    assert (looming(xy, torch.zeros(1, 5, 4, dtype=torch.bool)) == 1).all()
