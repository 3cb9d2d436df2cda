"""Which patch features there are on this machine."""

from pathlib import Path

from pointaction.appearance.base import PatchFeatures
from pointaction.appearance.colour_texture import ColourTexture
from pointaction.models.downloads import read_downloads, read_receipt

_BEST_FIRST = ("dinov2-base", "dinov2-small")


def open_patches(store: Path, *, device: str = "cpu") -> PatchFeatures:
    """DINOv2, the largest whose weights are installed in the store; else colour and texture."""
    downloads = read_downloads(store)
    for name in _BEST_FIRST:
        if name in downloads and read_receipt(store, downloads[name]):
            from pointaction.appearance.dinov2 import DINOv2Patches
            from pointaction.models.dinov2 import DINOv2
            from pointaction.models.networks import open_network

            network = open_network(store, downloads[name], device=device)
            assert isinstance(network, DINOv2)
            return DINOv2Patches(network=network, device=device)
    return ColourTexture()
