import pytest

from pointaction.evaluation.metrics import Accuracy


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
