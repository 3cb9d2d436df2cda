import torch

from pointaction.synthetic.batches import Mixture
from pointaction.synthetic.vocabulary import LABELS, OPPOSITES
from pointaction.training.episode_batches import EpisodeBatches, Show, Split, named_classes

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def batches(split: Split, seed: int = 1) -> EpisodeBatches:
    show = Show(named=2, programs=3, performances=2)
    return EpisodeBatches(show, Mixture(named=0, tracks=(6,)), split=split, seed=seed)


def test_every_name_is_in_one_split_together_with_its_opposites() -> None:
    split_of = {LABELS[label]: split for split in SPLITS for label in named_classes(split)}
    assert sum(len(named_classes(split)) for split in SPLITS) == len(LABELS) == len(split_of)
    assert all(split_of[one] == split_of[other] for one, other in OPPOSITES)
    assert all(len(named_classes(split)) > 20 for split in SPLITS)


def test_what_real_clips_show_is_not_trained_on() -> None:
    tested = {LABELS[label] for label in named_classes("test")}
    assert {"drawing a star", "drawing a tick", "swiping to the left", "swiping up"} <= tested
    assert {"drawing a circle anticlockwise", "drawing a circle clockwise"} <= tested


def test_a_batch_goes_class_by_class() -> None:
    batch = batches("validation")[0]
    assert batch.geometry.shape == (10, 6, 32, 3)
    assert batch.group is not None
    assert batch.group.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    named = batch.label[:4].tolist()
    assert named[0] == named[1] != named[2] == named[3]
    assert set(named) <= set(named_classes("validation"))
    assert batch.label[4:].tolist() == [-1] * 6


def test_a_batch_is_always_the_same_and_that_of_another_split_another() -> None:
    ours, again = batches("train")[3], batches("train")[3]
    assert ours.geometry.equal(again.geometry)
    for other in (batches("train")[4], batches("test")[3], batches("train", seed=2)[3]):
        assert not other.geometry.equal(ours.geometry)


def test_splits_never_meet_however_long_a_run_is() -> None:
    """Chance is seeded by first + number: a million batches of a thousand seeds."""
    first = [batches(split, seed=0).first for split in SPLITS]
    assert batches("train", seed=999).first + 1_000_003 < min(first[1:])
    assert abs(first[1] - first[2]) >= 1_000_000_000
    assert torch.tensor(first).unique().numel() == 3
