import pytest
import torch
from torch import Generator, Tensor

from pointaction.evaluation.chirality import evaluate_pairs, linear_probe
from pointaction.evaluation.performances import Seen


def clouds(apart: float, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two clouds of spread 1 in 8 dimensions, `apart` from each other along the first."""
    truth = torch.arange(count) % 2 == 1
    points = torch.randn(count, 8, generator=Generator().manual_seed(seed))
    points[:, 0] += apart * truth
    return points, truth


def test_a_probe_parts_clouds_that_lie_apart() -> None:
    points, truth = clouds(10.0, 40, seed=0)
    others, other_truth = clouds(10.0, 200, seed=1)
    assert (linear_probe(points, truth, others) == other_truth).all()


def test_a_probe_guesses_where_there_is_nothing_to_see() -> None:
    points, truth = clouds(0.0, 40, seed=0)
    others, other_truth = clouds(0.0, 2000, seed=1)
    share = (linear_probe(points, truth, others) == other_truth).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.05)


def test_a_probe_does_not_mind_where_zero_is() -> None:
    points, truth = clouds(3.0, 40, seed=0)
    others, _ = clouds(3.0, 100, seed=1)
    assert torch.equal(
        linear_probe(points, truth, others), linear_probe(points + 100, truth, others + 100)
    )


def test_only_the_two_labels_of_a_pair_count() -> None:
    # Label 2 is preferred throughout, but nobody asks for it; of 0 and 1 the clips prefer
    # the right one three times of four.
    logits = torch.tensor([[2.0, 1.0, 9.0], [1.0, 2.0, 9.0], [1.0, 2.0, 9.0], [1.0, 2.0, 9.0]])
    labels = torch.tensor([0, 0, 1, 1])
    cls = torch.tensor([[0.0], [0.1], [1.0], [1.1]])
    seen = Seen(logits=logits, cls=cls, labels=labels)
    found = evaluate_pairs(seen, seen, [(0, 1)])
    assert (found.answered.right, found.answered.total) == (3, 4)
    assert found.probed.share == 1.0


def test_the_worst_pair_comes_first() -> None:
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    logits = torch.eye(4)[labels]
    logits[labels == 1] = torch.tensor([1.0, 0.0, 0.0, 0.0])  # taken for its opposite
    seen = Seen(logits=logits, cls=torch.eye(4)[labels], labels=labels)
    found = evaluate_pairs(seen, seen, [(2, 3), (0, 1)])
    assert [outcome.pair for outcome in found.pairs] == [(0, 1), (2, 3)]
    assert [outcome.answered.share for outcome in found.pairs] == [0.5, 1.0]
    assert found.answered.share == 0.75
