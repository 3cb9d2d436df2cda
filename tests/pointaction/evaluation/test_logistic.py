import math

import torch

from pointaction.evaluation.logistic import fit_logistic


def test_it_finds_the_odds_of_two_groups() -> None:
    # 1 in 4 of those without the fact, 3 in 4 of those with it: odds of 1/3 and of 3.
    fact = torch.tensor([0.0] * 4 + [1.0] * 4)[:, None]
    label = torch.tensor([0, 0, 0, 1, 0, 1, 1, 1])
    weights, bias = fit_logistic(fact, label, ridge=0)
    assert math.isclose(bias, -math.log(3), rel_tol=1e-4)
    assert math.isclose(weights.item(), 2 * math.log(3), rel_tol=1e-4)


def test_the_units_of_a_fact_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    facts = torch.randn(50, 2, generator=generator)
    label = facts.sum(1) + torch.randn(50, generator=generator) > 0
    weights, bias = fit_logistic(facts, label)
    other, same = fit_logistic(facts * torch.tensor([100.0, 1.0]), label)
    torch.testing.assert_close(other * torch.tensor([100.0, 1.0]), weights)
    assert math.isclose(bias, same, rel_tol=1e-4)


def test_a_fact_that_never_differs_has_no_weight_and_parted_labels_stay_finite() -> None:
    facts = torch.tensor([[-1.0, 7.0], [1.0, 7.0]])
    weights, bias = fit_logistic(facts, torch.tensor([False, True]))
    assert weights[1] == 0
    assert weights[0] > 1
    assert weights.isfinite().all()
    assert abs(bias) < 1e-6
