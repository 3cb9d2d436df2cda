import torch
from torch import Generator

from pointaction.training.augment import Augmentation, augment, crop, rotate, shift_in_time


def generator() -> Generator:
    return Generator().manual_seed(0)


def test_a_quarter_turn_is_clockwise_on_the_screen() -> None:
    right_of_middle = torch.tensor([[[[1.0, 0.5]]]])
    turned = rotate(right_of_middle, torch.full((1, 1), torch.pi / 2))
    torch.testing.assert_close(turned, torch.tensor([[[[0.5, 1.0]]]]))  # y points down: below


def test_shifting_in_time_repeats_the_edge_unseen() -> None:
    xy = torch.arange(4.0)[None, None, :, None].expand(1, 1, 4, 2)
    moved, seen = shift_in_time(xy, torch.ones(1, 1, 4).bool(), torch.tensor([1]))
    assert moved[0, 0, :, 0].tolist() == [0, 0, 1, 2]
    assert seen[0, 0].tolist() == [False, True, True, True]


def test_the_whole_picture_is_no_crop() -> None:
    xy = torch.rand(2, 5, 3, 2)
    kept, present = crop(xy, torch.ones(2), generator())
    torch.testing.assert_close(kept, xy)
    assert present.all()


def test_a_crop_discards_what_lies_outside_and_recentres_the_rest() -> None:
    xy = torch.rand(64, 50, 1, 2).expand(-1, -1, 4, -1)
    moved, present = crop(xy, torch.full((64,), 0.5), generator())
    assert 0.15 < present.float().mean() < 0.4  # a quarter of the area
    assert (moved[present] >= 0.25 - 1e-6).all()
    assert (moved[present] <= 0.75 + 1e-6).all()


def test_at_least_one_track_survives() -> None:
    xy = torch.zeros(8, 3, 4, 2)
    _, present = crop(xy, torch.full((8,), 0.1), generator())
    assert present.any(1).all()


def test_an_augmented_batch_is_finite_and_hides_what_is_absent() -> None:
    xy, visible = torch.rand(4, 20, 8, 2), torch.ones(4, 20, 8).bool()
    batch = augment(xy, visible, Augmentation(), generator=generator())
    assert batch.xy.isfinite().all()
    assert not batch.visible[~batch.present].any()
