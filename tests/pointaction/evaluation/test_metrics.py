import pytest
import torch
from torch import Generator

from pointaction.evaluation.metrics import Accuracy, auroc, bootstrap, confusion, hits


def test_an_interval_holds_the_share_and_narrows_with_more_clips() -> None:
    few, many = Accuracy(right=8, total=10), Accuracy(right=800, total=1000)
    assert few.interval[0] < 0.8 < few.interval[1]
    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]


def test_wilsons_interval_for_eight_of_ten() -> None:
    assert Accuracy(right=8, total=10).interval == pytest.approx((0.490, 0.943), abs=0.001)


def test_all_right_is_not_certainty() -> None:
    low, high = Accuracy(right=20, total=20).interval
    assert low < 0.9
    assert high == pytest.approx(1)


def test_flags_are_counted() -> None:
    assert Accuracy.of(torch.tensor([True, False, True])) == Accuracy(right=2, total=3)


def test_the_second_best_is_a_hit_among_two() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    labels = torch.tensor([0, 1])
    assert hits(logits, labels).tolist() == [True, False]
    assert hits(logits, labels, k=2).tolist() == [True, True]
    assert hits(logits, labels, k=5).all()  # five of three are all three


def test_a_confusion_counts_true_by_row_and_answered_by_column() -> None:
    counts = confusion(torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 0]), classes=3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("positive", "negative", "area"),
    [
        ([2.0, 3.0], [0.0, 1.0], 1.0),  # apart
        ([0.0, 1.0], [2.0, 3.0], 0.0),  # apart, the wrong way round
        ([1.0, 2.0], [1.0, 2.0], 0.5),  # the same
        ([1.0, 3.0], [2.0], 0.5),  # one above, one below
        ([1.0, 3.0, 3.0], [2.0], 2 / 3),
    ],
)
def test_auroc_is_the_share_of_pairs_in_order(
    positive: list[float], negative: list[float], area: float
) -> None:
    assert auroc(torch.tensor(positive), torch.tensor(negative)) == pytest.approx(area)


def test_a_bootstrap_interval_of_a_mean_is_two_standard_errors_wide() -> None:
    generator = Generator().manual_seed(0)
    sample = torch.randn(400, generator=generator)

    def mean(values: torch.Tensor) -> float:
        return values.mean().item()

    estimate = bootstrap(mean, sample, generator=generator)
    assert estimate.value == pytest.approx(sample.mean().item())
    assert estimate.high - estimate.low == pytest.approx(4 / 400**0.5, rel=0.2)
