from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pointaction.clip import Clip
from pointaction.errors import DamagedWeights, InputError, UnknownModel
from pointaction.fused import FusedRecogniser
from pointaction.models.catalog import find
from pointaction.pipeline import inputs, track_clip
from pointaction.recognisers import open_recogniser
from tests.pointaction.models.stores import LABELS, fused_store, probe_store


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A texture that moves to the left."""
    texture = np.random.default_rng(0).integers(0, 255, (8, 16, 3), np.uint8)
    wide = texture.repeat(8, 0).repeat(8, 1)
    return Clip.from_frames(np.stack([wide[:, t : t + 96] for t in range(12)]), fps=12)


def test_a_fused_model_also_says_what_each_branch_says(tmp_path: Path, clip: Clip) -> None:
    model = open_recogniser(fused_store(tmp_path), "both")
    assert isinstance(model, FusedRecogniser)
    tracks = track_clip(clip, tracks=16)
    seen = model.recognise(tracks, clip)
    assert set(seen.scores) == set(LABELS)
    assert sum(seen.scores.values()) == pytest.approx(1)
    assert list(seen.scores.values()) == sorted(seen.scores.values(), reverse=True)
    assert seen.attention.shape == (2, 16)
    # The motion branch alone is the same model asked about the tracks alone.
    with torch.inference_mode():
        logits, _ = model.model.motion(*inputs(tracks, 4))
    alone = dict(zip(LABELS, logits.softmax(-1)[0].tolist(), strict=True))
    assert seen.branches["motion"] == pytest.approx(alone)
    assert set(seen.branches) == {"motion", "appearance"}


def test_a_probe_alone_says_which_moments_it_read(tmp_path: Path, clip: Clip) -> None:
    seen = open_recogniser(probe_store(tmp_path), "seen").recognise(None, clip)
    assert seen.tracks is None
    assert seen.attention.shape == (2, 3, 1, 1)  # heads, and the three frames that it looks at
    np.testing.assert_allclose(seen.attention.sum((1, 2, 3)), 1, rtol=1e-5)
    assert seen.branches == {}


def test_tracks_alone_will_not_do(tmp_path: Path, clip: Clip) -> None:
    model = open_recogniser(fused_store(tmp_path), "both")
    with pytest.raises(InputError, match="both looks at pixels.* send the clip itself") as error:
        model.recognise(track_clip(clip, tracks=4))
    assert error.value.kind == "pixels-missing"


def test_it_answers_through_the_backbone_that_it_was_trained_on_or_not_at_all(
    tmp_path: Path,
) -> None:
    store = fused_store(tmp_path)
    entry = find(store, "both")
    assert entry.backbone is not None
    other = replace(entry, backbone=replace(entry.backbone, sha256="0" * 64))
    with pytest.raises(
        DamagedWeights, match="trained on looks 000000000000.*train the model again"
    ):
        FusedRecogniser.open(store, other)
    gone = replace(entry, backbone=replace(entry.backbone, name="elsewhere"))
    with pytest.raises(UnknownModel, match="no backbone 'elsewhere'; there is looks"):
        FusedRecogniser.open(store, gone)


def test_another_backbone_is_another_digest(tmp_path: Path) -> None:
    entry = find(fused_store(tmp_path), "both")
    assert entry.backbone is not None
    other = replace(entry, backbone=replace(entry.backbone, frames=4))
    assert len({entry.digest, other.digest, entry.sha256}) == 3


def test_a_kind_of_model_that_is_not_known_is_told(tmp_path: Path) -> None:
    catalog = fused_store(tmp_path) / "catalog.toml"
    catalog.write_text(catalog.read_text().replace('"latefusion"', '"crystalball"'))
    with pytest.raises(DamagedWeights, match="both@1 is a crystalball, which this release"):
        open_recogniser(tmp_path, "both")
