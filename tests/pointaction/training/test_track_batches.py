from collections import Counter

import torch
from torch import Generator

from pointaction.training.batch import Batch
from pointaction.training.track_batches import TrackBatches, choose
from tests.pointaction.test_tracks import make_tracks


def batches(*, seed: int = 1, size: int = 6) -> TrackBatches:
    """Three clips of ten tracks, and one of two."""
    tracks = [make_tracks(count=count, frames=6) for count in (10, 10, 10, 2)]
    return TrackBatches(tracks, [0, 1, 2, 3], batch=2, frames=8, sizes=(4, size), seed=seed)


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.geometry, other.geometry) and torch.equal(one.label, other.label)


def test_a_number_is_always_the_same_batch() -> None:
    assert same(batches()[5], batches()[5])
    assert not same(batches()[5], batches()[6])
    assert not same(batches()[5], batches(seed=2)[5])


def test_every_clip_has_its_turn_before_any_has_another() -> None:
    seen = [
        Counter(torch.cat([batches()[2 * round_ + part].label for part in range(2)]).tolist())
        for round_ in range(3)
    ]
    assert seen == [Counter(range(4))] * 3


def test_batches_take_turns_with_the_numbers_of_tracks() -> None:
    assert [batches()[number].geometry.shape for number in range(2)] == [
        (2, 4, 8, 3),
        (2, 6, 8, 3),
    ]


def test_a_clip_with_few_tracks_has_only_those_present() -> None:
    """Cropping may take one of the two, and never both."""
    found = {
        label: present
        for number in range(8)
        for label, present in zip(
            batches()[number].label.tolist(), batches()[number].present.sum(1).tolist(), strict=True
        )
    }
    assert 1 <= found[3] <= 2


def test_a_choice_has_no_track_twice_while_there_are_others() -> None:
    xy = torch.arange(10.0)[:, None, None].expand(10, 3, 2)
    chosen, _, real = choose(xy, torch.ones(10, 3).bool(), 10, generator=Generator().manual_seed(0))
    assert sorted(chosen[:, 0, 0].tolist()) == list(range(10))
    assert real.all()
