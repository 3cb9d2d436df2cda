import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.timelines.segments import Rule, Segment, segments, smoothed

SHARP = Rule(threshold=0.5, lasting=1.0, smooth=1, gap_s=0, least_s=0)


def lane(scores: list[float], rule: Rule) -> list[tuple[float, float]]:
    """Segments of one label whose windows each speak for a second."""
    table = np.array(scores, np.float32)[:, None]
    found = segments(table, np.arange(len(scores) + 1.0), ["wave"], rule)
    return [(each.start, each.end) for each in found]


def test_a_segment_is_where_the_threshold_is_reached() -> None:
    assert lane([0, 0.5, 0.9, 0.4, 0], SHARP) == [(1, 3)]
    assert lane([0.9, 0, 0.9], SHARP) == [(0, 1), (2, 3)]
    assert lane([0.1, 0.4], SHARP) == []
    assert lane([], SHARP) == []


def test_a_score_that_trembles_is_one_segment() -> None:
    scores = [0.3, 0.45, 0.6, 0.45, 0.6, 0.3]
    assert lane(scores, SHARP) == [(2, 3), (4, 5)]
    assert lane(scores, Rule(threshold=0.5, lasting=0.8, smooth=1, gap_s=0, least_s=0)) == [(1, 5)]


def test_what_lasts_without_ever_reaching_the_threshold_is_nothing() -> None:
    assert lane([0.45] * 9, Rule(threshold=0.5, lasting=0.8, smooth=1)) == []


def test_short_gaps_are_closed_before_short_segments_are_left_out() -> None:
    scores = [0.9, 0, 0.9, 0, 0, 0, 0.9]
    rule = Rule(threshold=0.5, lasting=1, smooth=1, gap_s=1.5, least_s=2)
    assert lane(scores, rule) == [(0, 3)]


def test_every_label_has_its_lane() -> None:
    scores = np.array([[0.625, 0.0], [0.625, 0.75], [0.0, 0.75]], np.float32)
    edges = np.array([0.0, 2.0, 3.0, 5.0])
    assert segments(scores, edges, ["wave", "clap"], SHARP) == [
        Segment(label="wave", start=0, end=3, score=0.625),
        Segment(label="clap", start=2, end=5, score=0.75),
    ]


def test_a_window_that_is_none_of_these_speaks_for_nothing() -> None:
    scores = np.full((3, 1), 0.9, np.float32)
    strange = np.array([False, True, False])
    found = segments(scores, np.arange(4.0), ["wave"], SHARP, none_of_these=strange)
    assert [(each.start, each.end) for each in found] == [(0, 1), (2, 3)]


def test_scores_are_averaged_with_their_neighbours() -> None:
    scores = np.array([[3.0], [0.0], [0.0], [6.0]], np.float32)
    assert smoothed(scores, 3)[:, 0].tolist() == [1.5, 1, 2, 3]
    assert smoothed(scores, 1)[:, 0].tolist() == [3, 0, 0, 6]


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 0.0}, {"threshold": 1.1}, {"smooth": 2}, {"gap_s": -1.0}, {"lasting": 0}],
)
def test_a_rule_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Rule(**wrong)  # type: ignore[arg-type]
