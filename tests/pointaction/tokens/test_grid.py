import torch

from pointaction.tokens.grid import pool_on_grid


def test_a_cell_has_the_mean_of_what_is_in_it() -> None:
    place = torch.tensor([[0.1, 0.1], [0.2, 0.3], [0.9, 0.1], [0.1, 0.9], [1.2, 0.5]])
    features = torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0])[None, :, None, None].expand(1, 5, 4, 1)
    visible = torch.ones(1, 5, 4).bool()
    visible[0, 1, 2:] = False
    maps, count = pool_on_grid(
        features, place[None, :, None].expand(1, 5, 4, 2), visible, moments=2, cells=2
    )
    assert maps[0, :, :, 0].tolist() == [[2, 5, 7, 0], [1, 5, 7, 0]]
    assert count[0].tolist() == [[4, 2, 2, 0], [2, 2, 2, 0]]


def test_clips_do_not_mix() -> None:
    generator = torch.Generator().manual_seed(0)
    features, place = (torch.rand(3, 6, 8, 2, generator=generator) for _ in range(2))
    visible = torch.ones(3, 6, 8).bool()
    together, _ = pool_on_grid(features, place, visible)
    alone, _ = pool_on_grid(features[1:2], place[1:2], visible[1:2])
    assert together.shape == (3, 8, 16, 2)
    torch.testing.assert_close(together[1:2], alone)
