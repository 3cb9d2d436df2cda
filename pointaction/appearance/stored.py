"""Backbones by the names that the model store has for them."""

from pathlib import Path

import torch

from pointaction.appearance.backbone import Backbone
from pointaction.appearance.backbones import FRAMES, open_backbone
from pointaction.appearance.dinov2 import dinov2_backbone, own_backbone
from pointaction.appearance.frozen import FrozenBackbone
from pointaction.appearance.installed import find_backbone
from pointaction.appearance.watching import WatchingBackbone
from pointaction.errors import DamagedWeights
from pointaction.models.catalog import APPEARANCE, Looks, verify
from pointaction.models.dinov2 import DINOv2
from pointaction.models.downloads import BACKBONE, Download, installed, verified
from pointaction.models.networks import open_network


def open_stored(
    store: Path,
    name: str,
    *,
    frames: int | None = None,
    device: str = "cpu",
    precision: torch.dtype = torch.float32,
) -> Backbone:
    """The backbone called `name`: a model of the task "appearance", a download that is one, or a
    network of motion in pixels, of whose answer only what it saw is taken.

    frames: how many of a clip it looks at; None: as many as it was made for. Raises UnknownModel,
    NotInstalled with the command that installs it, MissingExtra and DamagedWeights.
    """
    entry = find_backbone(store, name)
    if isinstance(entry, Download):
        return _pulled(store, entry, frames, device, precision)
    if entry.task != APPEARANCE:
        return WatchingBackbone.open(store, entry, frames=frames, device=device)
    return own_backbone(verify(store, entry), frames=frames or FRAMES, device=device)


def open_trained_on(store: Path, looks: Looks, *, device: str = "cpu") -> Backbone:
    """The backbone of a model; DamagedWeights where another one has its name by now."""
    backbone = open_stored(store, looks.name, frames=looks.frames, device=device)
    if backbone.sha256 != looks.sha256:
        raise DamagedWeights(
            f"the model was trained on {looks.name} {looks.sha256[:12]}, and the one here is "
            f"{backbone.sha256[:12]}; put that one back, or train the model again on this one"
        )
    return backbone


def _pulled(
    store: Path, download: Download, frames: int | None, device: str, precision: torch.dtype
) -> FrozenBackbone:
    if download.builder == BACKBONE:
        folder = verified(store, download)
        return open_backbone(folder, frames=frames, device=device, precision=precision)
    network = open_network(store, download, device=device)
    assert isinstance(network, DINOv2)
    return dinov2_backbone(
        network,
        sha256=installed(store, download).sha256,
        frames=frames or FRAMES,
        device=device,
        precision=precision,
    )
