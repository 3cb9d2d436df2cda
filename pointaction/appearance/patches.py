"""Which patch features there are on this machine."""

from pathlib import Path

from pointaction.appearance.base import PatchFeatures
from pointaction.appearance.colour_texture import ColourTexture
from pointaction.appearance.installed import best_installed


def open_patches(store: Path, *, device: str = "cpu") -> PatchFeatures:
    """DINOv2, the largest whose weights are installed in the store; else colour and texture."""
    found = best_installed(store)
    if found is None:
        return ColourTexture()
    from pointaction.appearance.dinov2 import DINOv2Patches
    from pointaction.models.dinov2 import DINOv2
    from pointaction.models.networks import open_network

    network = open_network(store, found[0], device=device)
    assert isinstance(network, DINOv2)
    return DINOv2Patches(network=network, device=device)
