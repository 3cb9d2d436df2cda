"""The original is not here; a module with its predictor's interface stands in for it."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pointaction.errors import NotInstalled
from pointaction.tracking.base import Tracker
from pointaction.tracking.cotracker_reference import open_cotracker_reference
from tests.pointaction.tracking.test_lucas_kanade import shifting


class CoTrackerPredictor(nn.Module):
    """Moves every point by the weight `way` per frame, and hides it after the fourth frame."""

    def __init__(self, checkpoint: str, offline: bool, window_len: int) -> None:
        super().__init__()
        assert (offline, window_len) == (True, 60)
        self.way = torch.load(checkpoint, weights_only=True)["way"]

    def forward(
        self, video: Tensor, queries: Tensor, backward_tracking: bool
    ) -> tuple[Tensor, Tensor]:
        assert backward_tracking
        assert video.dtype == torch.float32
        assert video.shape[2] == 3
        time = torch.arange(video.shape[1])[:, None] - queries[0, :, 0]  # (T, N)
        xy = queries[0, :, 1:] + time[..., None] * self.way
        return xy[None], (torch.arange(len(xy)) < 4)[None, :, None].expand(1, -1, len(queries[0]))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file({"way": torch.tensor([2.0, -1.0])}, path)
    return path


@pytest.fixture
def tracker(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    package, predictor = ModuleType("cotracker"), ModuleType("cotracker.predictor")
    attributes: Any = predictor
    attributes.CoTrackerPredictor = CoTrackerPredictor
    monkeypatch.setitem(sys.modules, "cotracker", package)
    monkeypatch.setitem(sys.modules, "cotracker.predictor", predictor)
    return open_cotracker_reference(weights)


def test_its_answer_becomes_tracks(tracker: Tracker) -> None:
    queries = np.array([[0, 10, 20], [3, 40, 50]], np.float32)
    told: list[tuple[int, int]] = []
    tracks = tracker.track(shifting((1, 0)), queries, count=lambda *done: told.append(done))
    assert tracks.xy[0, :3].tolist() == [[10, 20], [12, 19], [14, 18]]
    assert tracks.xy[1, 2:5].tolist() == [[38, 51], [40, 50], [42, 49]]
    assert tracks.visible.tolist() == [[True] * 4 + [False] * 2] * 2
    assert (tracks.confidence == tracks.visible).all()
    assert told == [(1, 1)]


def test_the_expected_time_is_that_of_eight_frames_for_all(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr("pointaction.timing.perf_counter", lambda: next(ticks))
    queries = np.array([[19, 10, 20]], np.float32)  # beyond the frames that are looked at
    assert tracker.expected_seconds(shifting((1, 0), frames=20), queries) == 20 / 8


def test_without_the_package_one_is_told_where_it_is(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cotracker", None)
    with pytest.raises(NotInstalled, match=r"on no index.*CC-BY-NC-4.0.*cotracker3"):
        open_cotracker_reference(weights)
