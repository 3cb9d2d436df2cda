import torch

from pointaction.tokens.normalise import geometry, normalise_depth


def test_depth_gets_mean_zero_and_the_spread_of_the_coordinates() -> None:
    xy = torch.rand(2, 6, 5, 2)
    depth = 1 + 3 * torch.rand(2, 6, 5)
    normal = normalise_depth(depth, xy)
    torch.testing.assert_close(normal.mean((1, 2)), torch.zeros(2), rtol=0, atol=1e-6)
    torch.testing.assert_close(normal.flatten(1).std(1), xy.flatten(1).std(1))


def test_scale_and_shift_of_relative_depth_do_not_matter_where_there_is_relief() -> None:
    xy, depth = torch.rand(1, 6, 5, 2), torch.rand(1, 6, 5) + 0.5
    torch.testing.assert_close(normalise_depth(7 * depth, xy), normalise_depth(depth, xy))


def test_flat_depth_is_zero_and_its_noise_stays_small() -> None:
    xy = torch.rand(1, 50, 8, 2)
    assert (normalise_depth(torch.ones(1, 50, 8), xy) == 0).all()
    noise = 1 + 0.001 * torch.randn(1, 50, 8)
    assert normalise_depth(noise, xy).std() < 0.05 * xy.std()


def test_geometry_is_x_y_and_depth() -> None:
    xy = torch.rand(1, 3, 4, 2)
    assert torch.equal(geometry(xy, torch.rand(1, 3, 4))[..., :2], xy)
