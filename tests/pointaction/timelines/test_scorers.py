"""A window gets the answer that a clip of its tracks gets."""

from dataclasses import replace

import numpy as np
import pytest

from pointaction.clip import Clip
from pointaction.errors import InputError
from pointaction.fewshot.calibration import EpisodeCalibration
from pointaction.fewshot.classes import Classes
from pointaction.fewshot.prototypes import NearestPrototype
from pointaction.fewshot.track_features import describe
from pointaction.models.catalog import DEFAULT_STORE, Entry
from pointaction.pipeline import Recogniser
from pointaction.recognition import Recognition
from pointaction.stages import Report, silent
from pointaction.timelines.episode_scorer import EpisodeScorer
from pointaction.timelines.model_scorer import ModelScorer
from pointaction.tracks import Tracks


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser.load(DEFAULT_STORE, "traction-tiny")


def wandering(seed: int) -> Tracks:
    """Forty points that drift apart, on the model's clock."""
    chance = np.random.default_rng(seed)
    place = chance.uniform(0, 100, (40, 1, 2)) + chance.normal(size=(1, 32, 2)).cumsum(1)
    return Tracks(
        xy=place.astype(np.float32),
        visible=chance.random((40, 32)) < 0.9,
        confidence=np.ones((40, 32), np.float32),
        query=np.zeros((40, 3), np.float32),
        size=(100, 100),
        times=np.arange(32) / 10,
    )


WINDOWS = [wandering(seed) for seed in range(3)]


def test_a_model_says_of_windows_what_it_says_of_clips(recogniser: Recogniser) -> None:
    scorer = ModelScorer.of(recogniser)
    told = scorer.score(WINDOWS)
    assert told.none_of_these is not None
    for row, tracks in enumerate(WINDOWS):
        alone = recogniser.recognise(tracks)
        expected = [alone.scores[label] for label in scorer.labels]
        np.testing.assert_allclose(told.shares[row], expected, atol=1e-5)
        assert told.none_of_these[row] == alone.none_of_these


def test_an_episode_says_of_windows_what_it_says_of_clips(recogniser: Recogniser) -> None:
    encoder = recogniser.model.encoder
    features = [describe(encoder, tracks, {"clip"}) for tracks in WINDOWS]
    usual = EpisodeCalibration(temperature=0.1)
    classes = Classes.learn(NearestPrototype(), features[:2], ["this", "that"], usual)
    told = EpisodeScorer(encoder, classes, "clip").score(WINDOWS)
    expected = [classes.liken(each).scores for each in features]
    np.testing.assert_allclose(told.shares[:, 0], [each["this"] for each in expected], atol=1e-6)
    assert told.shares.argmax(1)[:2].tolist() == [0, 1]
    assert told.none_of_these is None


class Looking:
    """Answers from the frames of a clip."""

    def __init__(self, entry: Entry) -> None:
        self.entry = replace(entry, inputs={"pixels": 256})

    def recognise(
        self, tracks: Tracks | None, clip: Clip | None = None, *, report: Report = silent
    ) -> Recognition:
        raise AssertionError("it is not asked")


def test_a_model_that_looks_at_pixels_is_refused(recogniser: Recogniser) -> None:
    with pytest.raises(InputError, match="looks at pixels"):
        ModelScorer.of(Looking(recogniser.entry))
