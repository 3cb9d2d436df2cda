"""A TrajectoryNet or EMIM that is looked through: the motion inside it, as a branch of a fusion.

Shapes:  B clips   T frames   H, W pixels   h, w cells of the last maps   C width
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pointaction.appearance.backbone import Features
from pointaction.clip import Clip
from pointaction.errors import InputError
from pointaction.models.catalog import Entry, verify
from pointaction.motion.base import MotionSource
from pointaction.motion.dis import DenseInverseSearch
from pointaction.motion.network_input import FRAMES, SIDE
from pointaction.video_networks import LOADERS, VideoNetwork, maps_of, seen_by

_VERSION = "1"  # of what is done here and in `network_input`; in every digest


@dataclass(frozen=True, kw_only=True)
class WatchingBackbone:
    """A `Backbone` of the last maps of a network that was trained to name motions."""

    name: str
    sha256: str
    network: VideoNetwork
    source: MotionSource = field(default_factory=DenseInverseSearch)
    frames: int = FRAMES

    @classmethod
    def open(
        cls, store: Path, entry: Entry, *, frames: int | None = None, device: str = "cpu"
    ) -> "WatchingBackbone":
        """Raises DamagedWeights, and InputError for another number of frames than it knows."""
        if frames not in (None, FRAMES):
            raise InputError(
                f"{entry.name} watches {FRAMES} frames of a clip; it cannot take {frames}"
            )
        network = LOADERS[entry.builder](verify(store, entry)).to(device).requires_grad_(False)
        return cls(name=entry.builder, sha256=entry.sha256, network=network)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that its features depend on beside the clip."""
        parts = (self.sha256, type(self.source).__name__, str(FRAMES), str(SIDE), _VERSION)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def timeless(self) -> bool:
        """A convolution does the same at every moment."""
        return True

    def features(self, clips: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Features:
        """The cells of the last maps, moment by moment and row by row."""
        batch = [clips] if isinstance(clips, np.ndarray) and clips.ndim == 4 else list(clips)
        if not batch:
            raise InputError("there are no clips to look at; give at least one")
        maps = torch.cat([self._maps(frames) for frames in batch])  # (B, C, T, h, w)
        cells = maps.shape[-2] * maps.shape[-1]
        time = torch.arange(self.frames).repeat_interleave(cells)
        return Features(maps.flatten(2).transpose(1, 2), time)

    def _maps(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        rows = np.linspace(0, len(frames) - 1, self.frames).round().astype(int)
        # How long a frame lasts is no matter to these networks.
        clip = Clip.from_frames(frames[rows], fps=1)
        with torch.no_grad():  # not inference_mode: a probe is to be trained on these
            return maps_of(self.network, *seen_by(self.network, clip, self.source)).float().cpu()
