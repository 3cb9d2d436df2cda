"""DINOv2 with the weights that were pulled: patch features as Trokens uses them, and a backbone.

And a small network of the same kind that is our own (docs/decisions/0029).

Shapes:  T frames   16 * 16 patches   D width
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pointaction.appearance.frozen import FrozenBackbone
from pointaction.appearance.kinds import DINOV2_INPUT
from pointaction.appearance.native_input import NativeInput, Squashed
from pointaction.clip import Clip
from pointaction.models.digests import digest
from pointaction.models.dinov2 import DEVIATION, MEAN, PATCH, DINOv2, load_dinov2

_GRID = 16
OWN_INPUT = NativeInput(
    frame=Squashed(side=8 * PATCH), resample="bilinear", mean=MEAN, deviation=DEVIATION
)
"""Of our own network: a fourth of the patches, and the whole frame."""


@dataclass(frozen=True, kw_only=True)
class DINOv2Patches:
    network: DINOv2
    device: str = "cpu"
    batch: int = 8  # frames at a time

    def describe(self, clip: Clip) -> NDArray[np.float32]:
        """(T, 16, 16, D): the last layer's, normalised; frames become squares of 224 pixels."""
        side = _GRID * PATCH
        squares = [
            cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in clip.frames
        ]
        pictures = (np.stack(squares) / 255 - MEAN) / DEVIATION
        pixels = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2)
        last = self.network.config.layers - 1
        with torch.inference_mode():
            found = [
                self.network(part.to(self.device), (last,))[0].cpu()
                for part in pixels.split(self.batch)
            ]
        return torch.cat(found).unflatten(1, (_GRID, _GRID)).numpy()


def dinov2_backbone(
    network: DINOv2,
    *,
    sha256: str,
    native: NativeInput = DINOV2_INPUT,
    frames: int = 16,
    device: str = "cpu",
    precision: torch.dtype = torch.float32,
    together: int = 16,
) -> FrozenBackbone:
    """The backbone that the pulled weights are, seen frame by frame: patches, no CLS.

    sha256: the digest of these weights. Its positions are those it was trained with, which differ
    a little from the `transformers` library's (docs/decisions/0015), and so the digest differs.
    """
    last = network.config.layers - 1

    def patches(network: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
        return network(pictures, (last,))[0]

    return FrozenBackbone(
        name="dinov2-patches",
        sha256=sha256,
        network=network.to(device).eval().requires_grad_(False),
        look=patches,
        native=native,
        frames=frames,
        tubelet=None,
        device=device,
        precision=precision,
        together=together,
    )


def own_backbone(path: Path, *, frames: int = 16, device: str = "cpu") -> FrozenBackbone:
    """The backbone that `pointaction train-appearance` left in a file.

    Raises InputError and DamagedWeights as `files.load_network`.
    """
    return dinov2_backbone(
        load_dinov2(path), sha256=digest(path), native=OWN_INPUT, frames=frames, device=device
    )
