import math

import pytest
import torch
from torch import Generator

from pointaction.evaluation.calibration import (
    calibration_error,
    fit_temperature,
    reliability,
    threshold_keeping,
)


def honest(times: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two labels, 75 % sure of the first, which is right three times of four; logits scaled."""
    logits = torch.tensor([[math.log(3.0), 0.0]]).expand(4, 2) * times
    return logits, torch.tensor([0, 0, 0, 1])


@pytest.mark.parametrize("times", [1.0, 3.0, 0.5])
def test_the_temperature_undoes_what_the_logits_were_multiplied_by(times: float) -> None:
    assert fit_temperature(*honest(times)) == pytest.approx(times, rel=0.001)


def test_to_be_sure_and_right_is_no_error() -> None:
    assert calibration_error(torch.ones(8), torch.ones(8).bool()) == 0


def test_to_be_sure_and_always_wrong_is_the_greatest_error() -> None:
    assert calibration_error(torch.ones(8), torch.zeros(8).bool()) == 1


def test_errors_in_different_bins_do_not_make_up_for_each_other() -> None:
    sure, right = torch.tensor([1.0, 0.5]), torch.tensor([False, True])
    assert calibration_error(sure, right) == pytest.approx((1 + 0.5) / 2)


def test_three_of_four_at_three_quarters_is_reliable() -> None:
    logits, labels = honest(1.0)
    found = reliability(logits, labels, temperature=1.0, generator=Generator().manual_seed(0))
    (only,) = found.bins
    assert only.sureness == pytest.approx(0.75)
    assert (only.accuracy.right, only.accuracy.total) == (3, 4)
    assert found.error.value == pytest.approx(0, abs=1e-6)


def test_a_threshold_keeps_the_share_that_was_asked_for() -> None:
    scores = torch.arange(100.0)
    threshold = threshold_keeping(scores, 0.95)
    assert (scores >= threshold).sum() == 95
    assert threshold_keeping(scores, 1.0) == 0
