from pathlib import Path

import numpy as np
import pytest
import torch

from pointaction.appearance.colour_texture import ColourTexture
from pointaction.appearance.dinov2 import DINOv2Patches
from pointaction.appearance.patches import open_patches
from pointaction.clip import Clip
from pointaction.models.dinov2 import DINOv2, DINOv2Config
from pointaction.models.networks import NETWORKS
from tests.pointaction.models.stores import install


@pytest.fixture
def network() -> DINOv2:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DINOv2(DINOv2Config(width=8, layers=2, heads=2)).eval().requires_grad_(False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One that knows DINOv2."""
    table = """
        [downloads.dinov2-small]
        task = "appearance"
        builder = "tiny"
        says = "patches that know what they show"
        url = "https://example.org/dinov2.pth"
        licence = "Apache-2.0"
        commercial_use = true
        parameters = 1
    """
    (tmp_path / "catalog.toml").write_text(table)
    return tmp_path


def test_without_weights_patches_are_colour_and_texture(store: Path) -> None:
    assert open_patches(store) == ColourTexture()


def test_with_weights_they_are_dinov2_s(
    store: Path, network: DINOv2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "tiny", lambda: DINOv2(network.config))
    install(store, "dinov2-small", network.state_dict())
    frames = np.random.default_rng(0).integers(256, size=(3, 40, 60, 3), dtype=np.uint8)
    opened = open_patches(store)
    assert isinstance(opened, DINOv2Patches)
    found = opened.describe(Clip.from_frames(frames, fps=1))
    assert found.shape == (3, 16, 16, 8)
    alone = DINOv2Patches(network=network, batch=1).describe(Clip.from_frames(frames[1:2], fps=1))
    np.testing.assert_allclose(found[1:2], alone, atol=1e-4)
