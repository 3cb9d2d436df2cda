import torch
from torch import Generator
from torch.nn.functional import one_hot

from pointaction.evaluation.neighbours import evaluate_neighbours, vote

EYE = torch.eye(3)


def test_an_identical_neighbour_decides() -> None:
    labels = torch.tensor([4, 1, 7])
    assert vote(EYE, labels, EYE * 5, k=3).tolist() == [4, 1, 7]


def test_one_that_is_near_outvotes_two_that_are_far() -> None:
    known = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert vote(known, torch.tensor([0, 1, 1]), torch.tensor([[1.0, 0.2]]), k=3).tolist() == [0]


def test_two_outvote_one_at_the_same_distance() -> None:
    known = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert vote(known, torch.tensor([0, 1, 1]), torch.tensor([[1.0, 1.0]]), k=3).tolist() == [1]


def clips() -> tuple[torch.Tensor, torch.Tensor]:
    """Five motions by four actors, three times each."""
    motion = torch.arange(5).repeat(12)
    identity = torch.arange(4).repeat_interleave(15)
    return motion, identity


def test_features_of_motion_find_the_motion_and_not_the_actor() -> None:
    motion, identity = clips()
    noise = torch.randn(60, 5, generator=Generator().manual_seed(0))
    found = evaluate_neighbours(one_hot(motion, 5) + 0.05 * noise, motion, identity, k=5)
    assert found.motion.share == 1.0
    assert found.identity.share < 0.5
    assert (found.motion_chance, found.identity_chance) == (0.2, 0.25)


def test_features_of_the_actor_find_the_actor_and_never_the_motion_itself() -> None:
    motion, identity = clips()
    noise = torch.randn(60, 4, generator=Generator().manual_seed(0))
    found = evaluate_neighbours(one_hot(identity, 4) + 0.05 * noise, motion, identity, k=5)
    assert found.identity.share == 1.0
    assert found.motion.share < 0.5
