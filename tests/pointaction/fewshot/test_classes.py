import math

import pytest
import torch

from pointaction.errors import InputError
from pointaction.fewshot.calibration import Belonging, EpisodeCalibration
from pointaction.fewshot.classes import Classes
from pointaction.fewshot.features import Features
from pointaction.fewshot.otam import OTAM
from pointaction.fewshot.prototypes import NearestPrototype

# Whoever is nearer than a cosine of one half belongs.
STRICT = EpisodeCalibration(
    temperature=0.1,
    belonging=Belonging(
        weights={"nearness": 10.0, "closeness": 0.0, "sparseness": 0.0, "ways": 0.0},
        bias=-5.0,
        threshold=0.5,
    ),
)


def clip(degrees: float) -> Features:
    """A direction in the plane, which is also where its two moments point."""
    angle = math.radians(degrees)
    whole = torch.tensor([math.cos(angle), math.sin(angle), 0.0])
    return Features(clip=whole, frames=whole.expand(2, 3).clone())


def compass(calibration: EpisodeCalibration = STRICT) -> Classes:
    """East by two examples, north by one."""
    examples = [clip(-10), clip(90), clip(10)]
    return Classes.learn(NearestPrototype(), examples, ["east", "north", "east"], calibration)


def test_a_clip_is_told_by_the_nearest_class() -> None:
    seen = compass().liken(clip(80))
    assert list(seen.scores) == ["north", "east"]
    assert sum(seen.scores.values()) == pytest.approx(1)
    # The cosines are cos 10 and cos 80 degrees: a lead of 0.811 at a temperature of 0.1.
    assert seen.scores["east"] / seen.scores["north"] == pytest.approx(math.exp(-8.11), rel=1e-2)


def test_neighbours_are_examples_in_the_order_of_likeness() -> None:
    seen = compass().liken(clip(5), neighbours=2)
    assert [each.example for each in seen.neighbours] == [2, 0]
    assert seen.neighbours[0].similarity == pytest.approx(math.cos(math.radians(5)))


def test_what_is_far_from_every_class_is_none_of_them() -> None:
    assert compass().liken(clip(30)).none_of_these is False
    assert compass().liken(clip(225)).none_of_these is True


def test_without_a_calibration_nobody_knows_who_belongs() -> None:
    assert compass(EpisodeCalibration(temperature=1.0)).liken(clip(225)).none_of_these is None


def test_moments_are_matched_with_those_of_the_best_class() -> None:
    examples, labels = [clip(0), clip(90)], ["east", "north"]
    likeness = Classes.learn(OTAM(), examples, labels, STRICT).liken(clip(80))
    assert {match.example for match in likeness.matches} == {1}
    assert {match.query for match in likeness.matches} == {(0,), (1,)}
    assert compass().liken(clip(80)).matches == []


def test_one_class_is_too_few() -> None:
    with pytest.raises(InputError) as refused:
        Classes.learn(NearestPrototype(), [clip(0), clip(1)], ["east", "east"], STRICT)
    assert refused.value.kind == "too-few-classes"
