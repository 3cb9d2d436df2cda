from collections.abc import Callable

import pytest
import torch
from torch import Generator

from pointaction.errors import InputError
from pointaction.evaluation.open_episodes import (
    NOBODY,
    Asked,
    OpenTrial,
    ask,
    calibrate,
    compare,
    judge,
    sample_open_episode,
)
from pointaction.evaluation.unseen import Described
from pointaction.fewshot.features import Features
from pointaction.fewshot.matchers import open_matcher

LABELS = torch.arange(8).repeat(6)  # six clips of each class
TRIAL = OpenTrial(ways=(2, 4), shots=(1, 3), queries=3, episodes=20)


def clips(place: Callable[[int], torch.Tensor]) -> Described:
    """Six clips of each of eight classes, about where each class is."""
    generator = Generator().manual_seed(0)
    features = tuple(
        Features(clip=place(label) + 0.05 * torch.randn(8, generator=generator))
        for label in LABELS.tolist()
    )
    return Described(clips=features, labels=LABELS)


APART = clips(lambda label: torch.eye(8)[label])
ALIKE = clips(lambda label: torch.zeros(8))


def test_an_episode_asks_about_its_classes_and_about_others() -> None:
    generator = Generator().manual_seed(0)
    for _ in range(20):
        episode = sample_open_episode(LABELS, TRIAL, generator)
        classes = {
            way: LABELS[episode.support[episode.labels == way]].unique().item()
            for way in episode.labels.unique().tolist()
        }
        assert 2 <= len(classes) <= 4
        assert sorted(classes) == list(range(len(classes)))
        assert len(set(classes.values())) == len(classes)
        assert 1 <= episode.labels.bincount().min() <= episode.labels.bincount().max() <= 3
        for clip, way in zip(episode.query.tolist(), episode.truth.tolist(), strict=True):
            true = LABELS[clip].item()
            assert (true == classes[way]) if way != NOBODY else (true not in classes.values())
        assert (episode.truth == NOBODY).sum() == 3
        assert len({*episode.query.tolist(), *episode.support.tolist()}) == len(
            episode.query
        ) + len(episode.support)


def test_a_class_stays_outside_and_a_clip_is_left_to_ask_about() -> None:
    for trial in (TRIAL.of(8, 1), TRIAL.of(2, 6)):
        with pytest.raises(InputError, match="8 of 6 or more"):
            sample_open_episode(LABELS, trial, Generator())


def test_classes_that_lie_apart_are_known_and_others_noticed() -> None:
    matcher = open_matcher("prototype")
    calibration = calibrate(ask(matcher, APART, TRIAL))
    found = judge(
        ask(matcher, APART, OpenTrial(ways=(3, 3), shots=(1, 1), queries=3, seed=1, episodes=20)),
        calibration,
        generator=Generator().manual_seed(0),
    )
    assert found.accuracy.share == 1
    assert found.auroc.value == 1
    assert found.noticed.share == 1
    assert found.missed.share < 0.2  # a tenth of those that it was fitted to
    # Cosines are never far apart, so that as they are they sound unsure of what is always right.
    assert found.calibrated.value < found.error.value


def test_of_clips_that_are_all_alike_nobody_knows_which_belong() -> None:
    matcher = open_matcher("prototype")
    calibration = calibrate(ask(matcher, ALIKE, TRIAL))
    trial = OpenTrial(ways=(2, 4), shots=(1, 3), queries=3, seed=1, episodes=100)
    found = judge(ask(matcher, ALIKE, trial), calibration, generator=Generator().manual_seed(0))
    assert 0.4 < found.auroc.value < 0.6
    assert found.accuracy.share < 0.6


def test_the_threshold_lets_nine_of_ten_pass() -> None:
    # Ten queries that belong, the nearer the more, and ten that are all farther.
    nearness = torch.cat([torch.arange(1.0, 11.0), torch.full((10,), 0.5)])
    nothing = torch.zeros(20)
    asked = Asked(
        scores=torch.tensor([1.0, 0.0]).repeat(20, 1),
        truth=torch.tensor([0] * 10 + [NOBODY] * 10),
        evidence={
            "nearness": nearness,
            "closeness": nothing,
            "sparseness": nothing,
            "ways": nothing,
        },
    )
    found = judge(asked, calibrate(asked), generator=Generator().manual_seed(0))
    assert (found.missed.right, found.missed.total) == (1, 10)
    assert (found.noticed.right, found.noticed.total) == (10, 10)


def test_a_row_for_each_matcher() -> None:
    matchers = {name: open_matcher(name) for name in ("prototype", "linear-probe")}
    fitted = {name: calibrate(ask(matcher, APART, TRIAL)) for name, matcher in matchers.items()}
    table = compare(matchers, fitted, APART, TRIAL.of(3, 2))
    assert list(table.rows) == ["prototype", "linear-probe"]
    assert str(TRIAL.of(3, 2)) == "3 ways, 2 shots"
    assert str(TRIAL) == "2-4 ways, 1-3 shots"
