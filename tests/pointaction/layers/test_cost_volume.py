import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize, unfold

from pointaction.layers.cost_volume import Neighbourhood, next_frame

CPU = torch.device("cpu")


def chance(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_affinity_is_that_of_neighbours_row_by_row() -> None:
    """As if every token's neighbours had been copied, with zeros outside."""
    queries, keys = chance(2, 20, 8), chance(2, 20, 8, seed=1)
    maps = keys.transpose(1, 2).unflatten(-1, (4, 5))
    copied = unfold(maps, 3, padding=1).unflatten(1, (8, 9))  # (2, E, K, P)
    expected = torch.einsum("npe,nekp->npk", queries, copied) / 8**0.5
    found = Neighbourhood((4, 5), 1, CPU).affinity(queries, keys)
    torch.testing.assert_close(found, expected)


def test_it_peaks_where_a_texture_has_gone() -> None:
    """Two tokens right and one up, on every token that stays in the picture."""
    texture = normalize(chance(8, 10, 16), dim=-1)
    moved = texture.roll((-1, 2), (0, 1))
    near = Neighbourhood((8, 10), 3, CPU)
    peak = near.affinity(texture.flatten(0, 1), moved.flatten(0, 1)).argmax(-1).view(8, 10)
    assert (peak[1:, :-2] == (3 - 1) * 7 + (3 + 2)).all()


def test_without_affinity_it_reads_the_mean_of_the_neighbours_there_are() -> None:
    maps = chance(1, 3, 4, 5)
    values = maps.flatten(2).transpose(1, 2)
    read = Neighbourhood((4, 5), 2, CPU).read(torch.zeros(1, 20, 25), values)
    mean = avg_pool2d(maps, 5, stride=1, padding=2, count_include_pad=False)
    torch.testing.assert_close(read, mean.flatten(2).transpose(1, 2))


def test_where_one_stands_out_it_reads_that_one() -> None:
    affinity = torch.zeros(12, 9)
    affinity[:, 5] = 100  # the one to the right
    read = Neighbourhood((3, 4), 1, CPU).read(affinity, torch.arange(12.0)[:, None]).view(3, 4)
    within = torch.arange(12.0).view(3, 4)
    torch.testing.assert_close(read[:, :-1], within[:, 1:])


def test_a_single_token_reads_itself_whatever_the_radius() -> None:
    near = Neighbourhood((1, 1), 2, CPU)
    x = chance(3, 1, 4)
    torch.testing.assert_close(near.read(near.affinity(x, x), x), x)


def test_the_last_frame_comes_after_itself() -> None:
    x = torch.tensor([[1, 2, 3]])
    assert next_frame(x).tolist() == [[2, 3, 3]]
    assert next_frame(x[:, :1]).tolist() == [[1]]
