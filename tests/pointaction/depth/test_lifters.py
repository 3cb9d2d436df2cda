from pathlib import Path
from typing import Any

import pytest
import torch

from pointaction.depth.base import Lifter
from pointaction.depth.depth_anything import DepthAnything, depth_anything_v2_small
from pointaction.depth.lifter import VideoDepthAnything
from pointaction.depth.lifters import DEFAULT_DEPTH, LIFTERS
from pointaction.depth.looming_lifter import Looming
from pointaction.methods import Running
from tests.pointaction.models.stores import install, know_downloads, small_store


def test_the_default_needs_no_store() -> None:
    lifter: Lifter = LIFTERS[DEFAULT_DEPTH].open(Path("nowhere"), Running())
    assert isinstance(lifter, Looming)


def test_video_depth_anything_is_opened_as_it_is_to_be_run(network_store: Path) -> None:
    running = Running(precision="bfloat16")
    lifter = LIFTERS["video-depth-anything-small"].open(network_store, running)
    assert isinstance(lifter, VideoDepthAnything)
    assert lifter.precision == torch.bfloat16
    assert not lifter.network.training


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


@pytest.mark.usefixtures("transformers")
def test_depth_anything_looks_at_four_layers_of_its_backbone(tmp_path: Path) -> None:
    know_downloads(small_store(tmp_path))
    install(tmp_path, "depth-anything-v2-small", depth_anything_v2_small().state_dict())
    lifter = LIFTERS["depth-anything-v2-small"].open(tmp_path, Running())
    assert isinstance(lifter, DepthAnything)
    backbone: Any = lifter.network.backbone
    assert backbone.out_features == ["stage3", "stage6", "stage9", "stage12"]
