import numpy as np
import torch

from pointaction.clip import Clip
from pointaction.models.motionnet import MotionNet, MotionNetConfig
from pointaction.motion.base import MotionSource
from pointaction.motion.learned import LearnedMotion


def test_a_network_sees_a_clip_as_it_was_trained_to() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 16, 20, 3), np.uint8)
    network = MotionNet(MotionNetConfig(frames=3, width=4, levels=2)).eval()
    torch.nn.init.ones_(network.get_parameter("up.0.flow.weight"))
    source: MotionSource = LearnedMotion(network)
    motion = source.motion(Clip.from_frames(frames, fps=10))
    colours = torch.tensor(frames / 255, dtype=torch.float32).permute(3, 0, 1, 2)
    with torch.no_grad():
        expected = network.motion(colours[None])[0].numpy()
    assert expected.any()
    np.testing.assert_allclose(motion, expected, rtol=1e-4, atol=1e-5)
