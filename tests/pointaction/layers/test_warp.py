import torch

from pointaction.layers.warp import displaced, inside

ROW = torch.tensor([[[[1.0, 2.0, 4.0, 8.0]]]])


def right(*by: float) -> torch.Tensor:
    return torch.stack([torch.tensor([by]), torch.zeros(1, len(by))])[None]


def test_each_pixel_is_read_where_its_offset_leads() -> None:
    assert displaced(ROW, right(3, 0.5, 0, -2)).flatten().tolist() == [8, 3, 4, 2]


def test_outside_the_nearest_pixel_counts() -> None:
    offset = right(-1, 9, 1.5, 0.25)
    assert displaced(ROW, offset).flatten().tolist() == [1, 8, 6 + 2, 8]
    assert inside(offset).flatten().tolist() == [False, False, False, False]
    assert inside(right(0, 2, -2, 0)).all()


def test_columns_come_first() -> None:
    maps = torch.arange(6.0).view(1, 1, 2, 3)
    offset = torch.zeros(1, 2, 2, 3)
    offset[0, :, 0, 0] = torch.tensor([2.0, 1.0])
    assert displaced(maps, offset)[0, 0, 0, 0] == 5
