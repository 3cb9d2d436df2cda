import pytest

from pointaction.errors import InputError
from pointaction.evaluation.segments import average_precision, mean_average_precision, overlap
from pointaction.timelines.segments import Segment


def span(start: float, end: float, score: float = 1.0, label: str = "wave") -> Segment:
    return Segment(label=label, start=start, end=end, score=score)


def test_overlap_is_time_together_over_time_of_either() -> None:
    assert overlap(span(0, 4), span(0, 4)) == 1
    assert overlap(span(0, 4), span(2, 6)) == pytest.approx(2 / 6)
    assert overlap(span(0, 10), span(4, 5)) == pytest.approx(0.1)
    assert overlap(span(0, 1), span(1, 2)) == 0
    assert overlap(span(0, 1), span(5, 6)) == 0


def test_all_found_and_nothing_else_is_one() -> None:
    there = [span(0, 4), span(10, 14)]
    assert average_precision([span(0, 4, 0.9), span(10, 14, 0.8)], there, least=0.7) == 1


def test_half_of_it_found_is_a_half() -> None:
    assert average_precision([span(0, 4)], [span(0, 4), span(10, 14)], least=0.5) == 0.5
    assert average_precision([], [span(0, 4)], least=0.5) == 0


def test_a_mistake_counts_where_it_is_surer() -> None:
    """Precision when the one is found: one of two; a mistake after it takes nothing away."""
    right, wrong = span(0, 4, 0.5), span(20, 24, 0.9)
    assert average_precision([right, wrong], [span(0, 4)], least=0.5) == 0.5
    wrong = span(20, 24, 0.1)
    assert average_precision([right, wrong], [span(0, 4)], least=0.5) == 1


def test_the_same_is_not_found_twice() -> None:
    twice = [span(0, 4, 0.9), span(0, 4, 0.8), span(10, 14, 0.7)]
    # Right, wrong, right: the second is right at a precision of two thirds.
    found = average_precision(twice, [span(0, 4), span(10, 14)], least=0.5)
    assert found == pytest.approx((1 + 2 / 3) / 2)


def test_precision_at_a_recall_is_the_best_from_there_on() -> None:
    """Wrong, right, right: precisions 1/2 and 2/3, and 2/3 can be had for the first as well."""
    found = [span(50, 54, 0.9), span(0, 4, 0.8), span(10, 14, 0.7)]
    there = [span(0, 4), span(10, 14)]
    assert average_precision(found, there, least=0.5) == pytest.approx(2 / 3)


def test_how_much_has_to_overlap_is_a_choice() -> None:
    found, there = [span(0, 4)], [span(1, 5)]  # 3 s of 5 s
    assert average_precision(found, there, least=0.5) == 1
    assert average_precision(found, there, least=0.7) == 0


def test_labels_count_alike_and_only_those_that_are_there() -> None:
    there = [span(0, 4), span(10, 14), span(20, 24, label="clap")]
    found = [span(20, 24, label="clap"), span(30, 34, label="bow")]
    assert mean_average_precision(found, there, least=0.5) == 0.5
    with pytest.raises(InputError, match="nothing is there"):
        mean_average_precision(found, [], least=0.5)
