"""The original CoTracker3 (CC-BY-NC-4.0), to compare with where a user has installed it.

Its package `cotracker` is on no index; `pip install` it from its source. It takes the whole clip
and all points at once, and so as much memory as they need.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from pointaction.clip import Clip
from pointaction.count import Count, uncounted
from pointaction.errors import NotInstalled
from pointaction.timing import seconds
from pointaction.tracks import MAX_SIDE, Tracks

_SAMPLE = 8  # frames that an estimate looks at
_WINDOW = 60  # frames for which the official offline model has a clock


def open_cotracker_reference(weights: Path, *, device: str = "cpu") -> "CoTrackerReference":
    """The original predictor with the weights of a `.safetensors` file.

    NotInstalled where there is no package `cotracker`.
    """
    try:
        from cotracker.predictor import CoTrackerPredictor
    except ImportError as missing:
        raise NotInstalled(
            "cotracker-reference runs the original package `cotracker`, which is not installed and "
            "on no index: pip install git+https://github.com/facebookresearch/co-tracker "
            "(CC-BY-NC-4.0), or take the tracker cotracker3, which is our own",
            value="cotracker",
        ) from missing
    with tempfile.TemporaryDirectory(prefix="pointaction-") as folder:
        checkpoint = Path(folder) / "scaled_offline.pth"  # the form that it reads
        torch.save(load_file(weights), checkpoint)
        predictor = CoTrackerPredictor(checkpoint=str(checkpoint), offline=True, window_len=_WINDOW)
    return CoTrackerReference(predictor.to(device), device=device)


class CoTrackerReference:
    """The published predictor as a tracker, forward and backward from each query."""

    def __init__(self, predictor: Any, *, device: str = "cpu") -> None:
        self.predictor = predictor
        self.device = device

    def track(
        self, clip: Clip, queries: NDArray[np.float32], *, count: Count = uncounted
    ) -> Tracks:
        """Follow queries (N, 3) of (frame, x, y) in pixels through all frames of the clip.

        It tells of no confidence: a track has 1 where it is visible, else 0.
        """
        xy, visible = self._predicted(clip.frames, queries)
        count(1, 1)
        return Tracks(
            xy=xy.clip(-2 * MAX_SIDE, 2 * MAX_SIDE),
            visible=visible,
            confidence=visible.astype(np.float32),
            query=queries,
            size=clip.size,
            times=clip.times,
        )

    def expected_seconds(self, clip: Clip, queries: NDArray[np.float32]) -> float:
        """About how long `track` will take, from the first frames."""
        frames = clip.frames[:_SAMPLE]
        early = queries.copy()
        early[:, 0] %= len(frames)
        return seconds(lambda: self._predicted(frames, early)) * len(clip.frames) / len(frames)

    def _predicted(
        self, frames: NDArray[np.uint8], queries: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """xy (N, T, 2) and visible (N, T)."""
        video = torch.from_numpy(frames.copy()).movedim(-1, 1)[None]  # (1, T, 3, H, W)
        asked = torch.from_numpy(queries.copy())[None]
        with torch.no_grad():
            xy, visible = self.predictor(
                video.to(self.device).float(),
                queries=asked.to(self.device),
                backward_tracking=True,
            )
        return xy[0].transpose(0, 1).cpu().numpy(), visible[0].transpose(0, 1).cpu().numpy()
