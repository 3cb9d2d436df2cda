"""Backbones by the names that the model store has for them."""

from pathlib import Path

import torch

from pointaction.appearance.backbone import Backbone
from pointaction.appearance.backbones import FRAMES, open_backbone
from pointaction.appearance.dinov2 import dinov2_backbone, own_backbone
from pointaction.appearance.frozen import FrozenBackbone
from pointaction.appearance.watching import WatchingBackbone
from pointaction.errors import DamagedWeights, UnknownModel
from pointaction.models.catalog import APPEARANCE, Entry, Looks, find, read_catalog, verify
from pointaction.models.dinov2 import DINOv2
from pointaction.models.downloads import BACKBONE, Download, installed, read_downloads, verified
from pointaction.models.networks import open_network
from pointaction.video_networks import LOADERS


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
    if entry.builder in LOADERS:
        return WatchingBackbone.open(store, entry, frames=frames, device=device)
    return own_backbone(verify(store, entry), frames=frames or FRAMES, device=device)


def find_backbone(store: Path, name: str) -> Entry | Download:
    """What the catalogue says of a backbone. Raises UnknownModel, which names those there are."""
    downloads = _downloads(store)
    if name in downloads:
        return downloads[name]
    try:
        entry = find(store, name, task=None)
    except UnknownModel:
        entry = None
    if entry is None or not _is_backbone(entry):
        known = [name for name, one in read_catalog(store).items() if _is_backbone(one)]
        raise UnknownModel(
            f"no backbone {name!r}; there is {', '.join([*known, *downloads])}", value=name
        )
    return entry


def open_trained_on(store: Path, looks: Looks, *, device: str = "cpu") -> Backbone:
    """The backbone of a model; DamagedWeights where another one has its name by now."""
    backbone = open_stored(store, looks.name, frames=looks.frames, device=device)
    if backbone.sha256 != looks.sha256:
        raise DamagedWeights(
            f"the model was trained on {looks.name} {looks.sha256[:12]}, and the one here is "
            f"{backbone.sha256[:12]}; put that one back, or train the model again on this one"
        )
    return backbone


def _is_backbone(entry: Entry) -> bool:
    return entry.task == APPEARANCE or entry.builder in LOADERS


def _downloads(store: Path) -> dict[str, Download]:
    return {
        name: download
        for name, download in read_downloads(store).items()
        if download.task == APPEARANCE
    }


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
