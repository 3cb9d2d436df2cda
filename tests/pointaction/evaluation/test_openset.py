import torch
from torch import Generator

from pointaction.evaluation.openset import (
    NEARNESS,
    evaluate_open_set,
    nearness,
    prototypes,
    separate,
)
from pointaction.evaluation.performances import UNNAMED, Seen

CHANCE = Generator().manual_seed(0)


def test_scores_that_part_the_known_from_the_unknown() -> None:
    known, unknown = torch.arange(100.0, 200.0), torch.arange(50.0)
    found = separate(known, known, unknown, generator=CHANCE)
    assert (found.auroc.value, found.auroc.low, found.auroc.high) == (1, 1, 1)
    assert (found.kept.right, found.refused.share) == (95, 1.0)


def test_scores_that_say_nothing() -> None:
    same = torch.arange(100.0)
    found = separate(same, same, same, generator=CHANCE)
    assert found.auroc.value == 0.5
    assert found.auroc.low < 0.5 < found.auroc.high
    assert found.refused.right == 5  # who keeps 95 of 100 refuses the other 5


def test_a_prototype_is_the_mean_direction_of_its_class() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    classes = prototypes(features, torch.tensor([0, 0, 1]))
    torch.testing.assert_close(classes, torch.tensor([[0.5**0.5, 0.5**0.5], [-1.0, 0.0]]))
    torch.testing.assert_close(nearness(torch.tensor([[-9.0, 0.0]]), classes), torch.ones(1))


def seen(logits: torch.Tensor, cls: torch.Tensor, labels: torch.Tensor) -> Seen:
    return Seen(logits=logits, cls=cls, labels=labels)


def test_the_best_score_wins_and_what_is_served_needs_only_logits() -> None:
    labels = torch.arange(2).repeat(20)
    noise = 0.1 * torch.randn(40, 2, generator=Generator().manual_seed(1))
    known = seen(3 * torch.eye(2)[labels] + noise, torch.eye(2)[labels] + noise, labels)
    # Just as sure of one label, only fainter in all, and features that are nobody's.
    unknown = seen(
        3 * torch.eye(2)[labels] + noise - 5, -torch.ones(40, 2), torch.full((40,), UNNAMED)
    )
    found = evaluate_open_set(known, known, unknown, generator=CHANCE)
    assert found.scores["energy"].auroc.value == 1
    assert found.scores[NEARNESS].auroc.value == 1
    assert found.scores["sureness"].auroc.value == 0.5  # a shift of all logits changes no share
    served = found.calibration()
    assert served.score == "energy"
    assert served.knows(known.logits).float().mean() >= 0.95
    assert not served.knows(unknown.logits).any()


def test_the_threshold_for_nearness_is_that_of_new_clips() -> None:
    # Features that say nothing: a clip is near a prototype only by being part of it.
    chance = Generator().manual_seed(2)
    labels = torch.arange(10).repeat(60)
    drawn = [torch.randn(600, 64, generator=chance) for _ in range(2)]
    fitted, known = (seen(torch.eye(10)[labels], cls, labels) for cls in drawn)
    found = evaluate_open_set(fitted, known, known, generator=chance)
    assert 0.91 < found.scores[NEARNESS].kept.share < 0.98
