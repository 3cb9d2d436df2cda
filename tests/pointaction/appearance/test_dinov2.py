import numpy as np
import pytest
import torch
from torch import Generator, nn

from pointaction.appearance.dinov2 import dinov2_backbone
from pointaction.models.dinov2 import DINOv2, DINOv2Config


@pytest.fixture
def network() -> DINOv2:
    network = DINOv2(DINOv2Config(width=8, layers=2, heads=2))
    generator = Generator().manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return network


def test_the_backbone_gives_the_last_layer_s_patches_frame_by_frame(network: DINOv2) -> None:
    frames = np.random.default_rng(0).integers(256, size=(2, 40, 60, 3), dtype=np.uint8)
    backbone = dinov2_backbone(network, sha256="a" * 64, frames=2, together=1)
    found = backbone.features(frames)
    assert found.tokens.shape == (1, 2 * 16 * 16, 8)
    assert found.time.tolist() == [0] * 256 + [1] * 256
    pictures = backbone.native.pictures(torch.from_numpy(frames))
    (expected,) = network(pictures, (1,))
    torch.testing.assert_close(found.tokens.view(2, 256, 8), expected, rtol=1e-4, atol=1e-5)
    assert backbone.digest != dinov2_backbone(network, sha256="b" * 64, frames=2).digest
