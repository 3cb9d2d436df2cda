"""TrajectoryNet and EMIM as they answer: small squares of a clip, how they move, and a heat map.

Shapes:  T frames   H heads   h, w cells of a map
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pointaction.clip import Clip
from pointaction.layers.clips import Recognised
from pointaction.models.catalog import Entry, pixels_missing, verify
from pointaction.models.emim import EMIM, load_emim
from pointaction.models.files import name_of
from pointaction.models.trajectorynet import TrajectoryNet, load_trajectorynet
from pointaction.motion.base import MotionSource
from pointaction.motion.dis import DenseInverseSearch
from pointaction.motion.network_input import FRAMES, squares
from pointaction.recognition import Recognition, expect_classes, ranked
from pointaction.stages import Report, enter, silent
from pointaction.tracks import Tracks

VideoNetwork = TrajectoryNet | EMIM

LOADERS: dict[str, Callable[[Path], VideoNetwork]] = {
    name_of(TrajectoryNet): load_trajectorynet,
    name_of(EMIM): load_emim,
}


def watch(network: VideoNetwork, clip: Tensor, motion: Tensor) -> Recognised:
    """What a network makes of clips and their motion, as `TrajectoryNet` takes them.

    EMIM finds motion itself.
    """
    if isinstance(network, TrajectoryNet):
        return network(clip, motion)
    return network(clip)


def maps_of(network: VideoNetwork, clip: Tensor, motion: Tensor) -> Tensor:
    """A network's last maps (B, C, T, h, w), before it answers; arguments as of `watch`."""
    if isinstance(network, TrajectoryNet):
        return network.features(clip, motion)
    return network.features(clip)


def seen_by(network: VideoNetwork, clip: Clip, source: MotionSource) -> tuple[Tensor, Tensor]:
    """All frames of a clip and its motion, as `watch` takes them, where the network is."""
    seen = squares(clip, source)
    device = next(network.parameters()).device
    frames = torch.from_numpy(seen.frames).to(device).permute(3, 0, 1, 2)[None] / 255
    return frames, torch.from_numpy(seen.motion).to(device)[None]


class VideoRecogniser:
    """An `AnyRecogniser` of pixels alone."""

    def __init__(
        self, entry: Entry, network: VideoNetwork, source: MotionSource | None = None
    ) -> None:
        self.entry = entry
        self.network = network
        self.source = source or DenseInverseSearch()

    @classmethod
    def open(cls, store: Path, entry: Entry, device: str = "cpu") -> "VideoRecogniser":
        """Raises DamagedWeights, also where the catalogue has other labels than the network."""
        network = LOADERS[entry.builder](verify(store, entry))
        expect_classes(entry, network.config.classes)
        return cls(entry, network.to(device))

    def recognise(
        self, tracks: Tracks | None, clip: Clip | None = None, *, report: Report = silent
    ) -> Recognition:
        """The attention is over cells of frames, (H, T, h, w)."""
        if clip is None:
            raise pixels_missing(self.entry)
        enter("look", report)
        frames, motion = seen_by(self.network, _sampled(clip), self.source)
        enter("classify", report)
        with torch.inference_mode():
            told = watch(self.network, frames, motion)
        enter("explain", report)
        return Recognition(
            scores=ranked(self.entry.labels, told.logits.softmax(-1)[0].cpu()),
            none_of_these=None,
            attention=told.maps[0].float().cpu().numpy(),
            tracks=None,
        )


def _sampled(clip: Clip) -> Clip:
    """As many frames as the networks learned from, evenly spread; all of a clip with fewer."""
    count = min(FRAMES, len(clip.frames))
    rows = np.linspace(0, len(clip.frames) - 1, count).round().astype(int)
    return replace(clip, frames=clip.frames[rows], times=clip.times[rows])
