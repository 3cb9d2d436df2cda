from collections.abc import Sequence

import torch

from pointaction.fewshot.closeness import Closeness
from pointaction.fewshot.features import Features
from pointaction.fewshot.matchers import open_matcher
from pointaction.fewshot.support_set import SupportSet


def closeness(ways: Sequence[tuple[float, float]], labels: list[int]) -> Closeness:
    """Of clips that point so, compared with prototypes."""
    clips = tuple(Features(clip=torch.tensor(each, dtype=torch.float32)) for each in ways)
    support = SupportSet(clips, torch.tensor(labels))
    return Closeness.of(open_matcher("prototype").fit(support), support)


def test_a_class_of_one_knows_itself_and_one_of_two_that_differ_does_less() -> None:
    # Two examples at a right angle: either is 45 degrees from their mean.
    found = closeness([(0, 1), (1, 0), (0, 1)], [1, 0, 0])
    torch.testing.assert_close(found.own, torch.tensor([0.5**0.5, 1.0]))
    assert found.shots.tolist() == [2, 1]


def test_of_many_examples_only_the_first_are_asked() -> None:
    # Two classes: 16 of each are asked, and what comes behind only turns the mean a little.
    first = closeness([(1, 0)] * 16 + [(0, 1)], [0] * 16 + [1])
    more = closeness([(1, 0)] * 16 + [(0, 1)] * 2, [0] * 16 + [1, 0])
    mean = torch.tensor([16.0, 1.0])
    torch.testing.assert_close(first.own, torch.ones(2))
    torch.testing.assert_close(more.own[0], 16 / mean.norm())
    assert more.shots.tolist() == [17, 1]
