from pathlib import Path

import numpy as np
import pytest
import torch

from pointaction.clip import Clip
from pointaction.errors import DamagedWeights, InputError
from pointaction.models.catalog import find
from pointaction.models.emim import EMIM, EMIMConfig
from pointaction.models.trajectorynet import TrajectoryNet, TrajectoryNetConfig
from pointaction.motion.network_input import FRAMES
from pointaction.recognisers import open_recogniser
from pointaction.video_networks import VideoRecogniser
from tests.pointaction.models.stores import LABELS, video_store


def network(kind: str, classes: int = len(LABELS)) -> TrajectoryNet | EMIM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "emim":
            config = EMIMConfig(classes=classes, width=24, layers=2, heads=2, local=1)
            return EMIM(config).eval()
        return TrajectoryNet(
            TrajectoryNetConfig(classes=classes, width=4, blocks=(1, 1), follow=(1, 2))
        ).eval()


def clip(frames: int, *, size: tuple[int, int] = (48, 80)) -> Clip:
    noise = np.random.default_rng(0).integers(0, 255, (frames, *size, 3), np.uint8)
    return Clip.from_frames(noise, fps=8)


@pytest.mark.parametrize("kind", ["trajectorynet", "emim"])
def test_it_answers_with_maps_of_the_frames_that_it_saw(kind: str, tmp_path: Path) -> None:
    model = open_recogniser(video_store(tmp_path, network(kind)), "watcher")
    seen = model.recognise(None, clip(32))
    assert set(seen.scores) == set(LABELS)
    assert sum(seen.scores.values()) == pytest.approx(1)
    assert seen.tracks is None
    assert seen.attention.shape[1] == FRAMES
    np.testing.assert_allclose(seen.attention.sum((1, 2, 3)), 1, rtol=1e-4)
    again = model.recognise(None, clip(32))
    assert again.scores == seen.scores


@pytest.mark.parametrize("kind", ["trajectorynet", "emim"])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_short_tiny_and_plain_clips_have_an_answer(kind: str, frames: int, tmp_path: Path) -> None:
    model = open_recogniser(video_store(tmp_path, network(kind)), "watcher")
    plain = Clip.from_frames(np.full((frames, 3, 2, 3), 128, np.uint8), fps=8)
    for shown in (plain, clip(frames)):
        seen = model.recognise(None, shown)
        assert np.isfinite(list(seen.scores.values())).all()
        assert seen.attention.shape[1] == frames
        assert np.isfinite(seen.attention).all()


def test_tracks_are_not_enough(tmp_path: Path) -> None:
    model = open_recogniser(video_store(tmp_path, network("emim")), "watcher")
    with pytest.raises(InputError, match="watcher looks at pixels"):
        model.recognise(None)


def test_a_network_of_other_classes_than_the_labels_is_refused(tmp_path: Path) -> None:
    store = video_store(tmp_path, network("emim", classes=7))
    with pytest.raises(DamagedWeights, match="tells 7 classes.* has 3 labels"):
        VideoRecogniser.open(store, find(store, "watcher"))
