"""A tiny Depth Anything with weights at random, saved by the library itself."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from pointaction.clip import Clip
from pointaction.depth.base import Lifter
from pointaction.depth.depth_anything import DepthAnything, open_depth_anything
from pointaction.depth.network_input import network_input
from pointaction.errors import DamagedWeights, InputError, MissingExtra
from tests.pointaction.depth.test_lifter import frames, still_tracks


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


@pytest.fixture
def folder(transformers: Any, tmp_path: Path) -> Path:
    backbone = transformers.Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=518,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
    )
    torch.manual_seed(0)
    network = transformers.DepthAnythingForDepthEstimation(config)
    nn.init.ones_(network.head.conv3.bias)  # so that depth is not cut off at 0
    network.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_each_frame_has_the_depth_that_the_library_gives_it(folder: Path) -> None:
    network, clip = open_depth_anything(folder), frames(5, 28, 42)
    maps = list(DepthAnything(network, input_size=28, together=2).maps(clip, size=(28, 42)))
    assert len(maps) == 5
    with torch.inference_mode():
        pictures = network_input(torch.from_numpy(clip[3:4]), (28, 42))
        expected = network(pixel_values=pictures).predicted_depth[0]
    assert expected.std() > 0
    torch.testing.assert_close(maps[3], expected, rtol=1e-4, atol=1e-5)


def test_tracks_get_the_depth_at_their_places(folder: Path) -> None:
    clip = Clip.from_frames(frames(3, 30, 50), fps=10)
    depth_anything = DepthAnything(open_depth_anything(folder), input_size=28)
    lifter: Lifter = depth_anything
    result = lifter.lift(clip, still_tracks(clip, [(0, 0), (49, 29)]))
    maps = depth_anything.maps(clip.frames, size=clip.size)
    there: NDArray[np.float32] = np.stack([each[[0, 29], [0, 49]].numpy() for each in maps], 1)
    assert result.depth is not None
    np.testing.assert_allclose(result.depth, 2 - there / there.mean(), rtol=1e-4)


def test_its_work_is_counted_and_its_time_told_ahead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = Clip.from_frames(frames(3, 28, 42), fps=10)
    lifter = DepthAnything(open_depth_anything(folder), input_size=28, together=2)
    told: list[tuple[int, int]] = []
    lifter.lift(clip, still_tracks(clip, [(0, 0)]), count=lambda *done: told.append(done))
    assert told == [(4, 6), (6, 6)]
    ticks = iter(range(100))
    monkeypatch.setattr("pointaction.timing.perf_counter", lambda: next(ticks))
    assert lifter.expected_seconds(clip) == 3


def test_a_checkpoint_that_does_not_fit_is_refused_by_name(folder: Path) -> None:
    weights = folder / "model.safetensors"
    state = load_file(weights)
    state["head.surplus"] = state.pop("head.conv1.weight")
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(DamagedWeights, match=r"missing.*head\.conv1\.weight.*head\.surplus"):
        open_depth_anything(folder)


def test_a_network_that_gives_metres_is_refused(folder: Path) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"depth_estimation_type": "metric"}))
    with pytest.raises(InputError, match="metric"):
        open_depth_anything(folder)


def test_without_the_library_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pointaction\[depth\]"):
        open_depth_anything(Path("nowhere"))
