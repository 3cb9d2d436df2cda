import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pointaction.clip import Clip
from pointaction.models.calibration import Calibration
from pointaction.models.catalog import Entry
from pointaction.models.traction import traction_tiny
from pointaction.pipeline import Recogniser, lift, track_clip
from pointaction.stages import STAGES
from pointaction.tracks import Tracks
from tests.pointaction.test_tracks import make_tracks
from tests.pointaction.tracking.test_lucas_kanade import shifting


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    torch.manual_seed(0)
    entry = Entry(
        name="random",
        version="0",
        task="classification",
        builder="traction_tiny",
        file="",
        sha256="0" * 64,
        licence="Apache-2.0",
        commercial_use=True,
        source="random weights",
        parameters=0,
        labels=("a", "b", "c"),
        inputs={},
        card="",
    )
    return Recogniser(entry, traction_tiny(3).eval())


@pytest.fixture(scope="module")
def clip() -> Clip:
    return shifting((2, 1), frames=8)


def test_scores_are_shares_best_first(recogniser: Recogniser, clip: Clip) -> None:
    scores = list(recogniser.recognise(track_clip(clip, tracks=40)).scores.values())
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)


def calibrated(
    recogniser: Recogniser, *, temperature: float = 1.0, threshold: float = 0.5
) -> Recogniser:
    """The same model, and what has been measured of it."""
    measured = Calibration(temperature=temperature, threshold=threshold, score="sureness")
    return Recogniser(replace(recogniser.entry, calibration=measured), recogniser.model)


def test_a_temperature_of_two_halves_the_logits(recogniser: Recogniser, clip: Clip) -> None:
    tracks = track_clip(clip, tracks=40)
    hot = calibrated(recogniser, temperature=2.0).recognise(tracks).scores
    plain = recogniser.recognise(tracks).scores
    assert list(hot) == list(plain)
    best, *_, last = plain
    # The logarithm of a ratio of shares is the difference of their logits.
    between = math.log(plain[best] / plain[last])
    assert between > 0
    assert math.log(hot[best] / hot[last]) == pytest.approx(between / 2, rel=1e-3)


def test_below_the_threshold_it_is_none_of_these(recogniser: Recogniser, clip: Clip) -> None:
    tracks = track_clip(clip, tracks=40)
    above_all = calibrated(recogniser, threshold=1.01).recognise(tracks)
    assert above_all.none_of_these is True
    assert calibrated(recogniser, threshold=0.0).recognise(tracks).none_of_these is False
    assert above_all.scores == recogniser.recognise(tracks).scores  # the nearest are still named


def test_a_model_that_is_not_calibrated_does_not_know_what_it_does_not_know(
    recogniser: Recogniser, clip: Clip
) -> None:
    assert recogniser.recognise(track_clip(clip, tracks=40)).none_of_these is None


def test_a_clip_and_its_own_tracks_file_give_the_same_answer(
    recogniser: Recogniser, clip: Clip
) -> None:
    tracks = track_clip(clip, tracks=40)
    from_file = Tracks.load(io.BytesIO(tracks.to_bytes()))
    one, other = recogniser.recognise(tracks), recogniser.recognise(from_file)
    assert one.scores == other.scores
    np.testing.assert_array_equal(one.attention, other.attention)


def test_the_same_clip_is_tracked_the_same_twice(clip: Clip) -> None:
    assert track_clip(clip, tracks=20).to_bytes() == track_clip(clip, tracks=20).to_bytes()


def test_stages_are_reported_in_order_with_rising_progress(
    recogniser: Recogniser, clip: Clip
) -> None:
    seen: list[tuple[str, float]] = []
    tracks = track_clip(clip, tracks=20, report=lambda *told: seen.append(told))
    recogniser.recognise(tracks, report=lambda *told: seen.append(told))
    own = [stage for stage in STAGES if stage not in ("decode", "look")]
    assert list(dict.fromkeys(stage for stage, _ in seen)) == own
    within = [share for stage, share in seen if stage == "track"]
    assert len(within) == 1 + 2 * 7  # entered, and seven steps both ways
    progress = [share for _, share in seen]
    assert progress == sorted(progress)


def test_a_report_that_raises_stops_the_work(recogniser: Recogniser, clip: Clip) -> None:
    def stop(stage: str, progress: float) -> None:
        raise TimeoutError(stage)

    with pytest.raises(TimeoutError, match="track"):
        track_clip(clip, tracks=20, report=stop)


def test_depth_that_is_there_is_kept() -> None:
    tracks = make_tracks()
    assert lift(tracks) is tracks
    assert lift(replace(tracks, depth=None)).depth is not None


@pytest.mark.parametrize(("count", "frames"), [(1, 2), (1, 32), (700, 5), (3, 100)])
def test_tracks_of_any_number_and_length_get_a_finite_answer(
    recogniser: Recogniser, count: int, frames: int
) -> None:
    answer = recogniser.recognise(make_tracks(count=count, frames=frames, depth=False))
    assert np.isfinite(list(answer.scores.values())).all()
    assert answer.attention.shape == (4, count)
    np.testing.assert_allclose(answer.attention.sum(1), 1, atol=1e-5)
