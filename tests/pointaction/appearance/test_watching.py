"""A network that names motions, looked through by a probe."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pointaction.appearance.installed import expect_backbone, find_backbone
from pointaction.appearance.stored import open_stored, open_trained_on
from pointaction.appearance.watching import WatchingBackbone
from pointaction.errors import DamagedWeights, InputError, UnknownModel
from pointaction.models.catalog import Looks, find
from pointaction.motion.network_input import FRAMES
from pointaction.recognisers import open_recogniser
from tests.pointaction.models.stores import video_store
from tests.pointaction.test_video_networks import clip, network

KINDS = pytest.mark.parametrize("kind", ["trajectorynet", "emim"])


def opened(store: Path, kind: str) -> WatchingBackbone:
    backbone = open_stored(video_store(store, network(kind)), "watcher")
    assert isinstance(backbone, WatchingBackbone)
    return backbone


def film(frames: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (frames, 40, 60, 3), np.uint8)


@KINDS
def test_a_token_is_a_cell_of_the_last_maps(kind: str, tmp_path: Path) -> None:
    backbone = opened(tmp_path, kind)
    tokens, time = backbone.features([film(FRAMES), film(30, seed=1)])
    cells = tokens.shape[1] // FRAMES
    assert time.equal(torch.arange(FRAMES).repeat_interleave(cells))
    alone, _ = backbone.features(film(30, seed=1))
    torch.testing.assert_close(alone, tokens[1:])
    assert not tokens[0].equal(tokens[1])


@pytest.mark.parametrize("frames", [1, 5])
def test_a_short_clip_has_as_many_tokens_as_any(frames: int, tmp_path: Path) -> None:
    backbone = opened(tmp_path, "trajectorynet")
    assert backbone.features(film(frames)).tokens.shape == backbone.features(film(40)).tokens.shape


def test_its_answer_is_the_mean_of_its_tokens(tmp_path: Path) -> None:
    """What the head of a TrajectoryNet reads is what a probe is given."""
    backbone = opened(tmp_path, "trajectorynet")
    seen = clip(FRAMES)
    tokens, _ = backbone.features(seen.frames)
    logits = backbone.network.head(tokens.mean(1))
    told = logits.softmax(-1)[0]
    scores = open_recogniser(tmp_path, "watcher").recognise(None, seen).scores
    labels = find(tmp_path, "watcher").labels
    expected = [scores[label] for label in labels]
    np.testing.assert_allclose(told.detach().numpy(), expected, atol=1e-5)


def test_another_networks_features_are_kept_apart(tmp_path: Path) -> None:
    digests = []
    for kind in ("trajectorynet", "emim"):
        (tmp_path / kind).mkdir()
        digests.append(opened(tmp_path / kind, kind).digest)
    assert len(set(digests)) == 2


def test_a_model_that_looks_through_it_is_complete(tmp_path: Path) -> None:
    watcher = find(video_store(tmp_path, network("emim")), "watcher")
    through = Looks(name="watcher", sha256=watcher.sha256, frames=FRAMES)
    expect_backbone(tmp_path, replace(watcher, backbone=through))
    with pytest.raises(UnknownModel, match="no backbone 'gone'; there is watcher"):
        expect_backbone(tmp_path, replace(watcher, backbone=replace(through, name="gone")))


def test_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    store = video_store(tmp_path, network("emim"))
    with pytest.raises(InputError, match=f"watches {FRAMES} frames of a clip; it cannot take 16"):
        open_stored(store, "watcher", frames=16)
    with pytest.raises(InputError, match="give at least one"):
        open_stored(store, "watcher").features([])
    with pytest.raises(UnknownModel, match="no backbone 'nobody'; there is watcher"):
        find_backbone(store, "nobody")
    of_another = Looks(name="watcher", sha256="0" * 64, frames=FRAMES)
    with pytest.raises(DamagedWeights, match="trained on watcher 000000000000"):
        open_trained_on(store, of_another)
