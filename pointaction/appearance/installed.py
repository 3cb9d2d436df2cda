"""Which networks that look at pixels are installed. Needs no torch."""

from pathlib import Path

from pointaction.models.catalog import APPEARANCE, Entry, find
from pointaction.models.downloads import (
    Download,
    Receipt,
    installed,
    read_downloads,
    read_receipt,
)

_BEST_FIRST = ("dinov2-base", "dinov2-small")


def best_installed(store: Path) -> tuple[Download, Receipt] | None:
    """The largest DINOv2 whose weights lie in the store."""
    downloads = read_downloads(store)
    for name in _BEST_FIRST:
        if name in downloads and (receipt := read_receipt(store, downloads[name])):
            return downloads[name], receipt
    return None


def expect_backbone(store: Path, entry: Entry) -> None:
    """NotInstalled, with the command that mends it, where a model lacks what it looks through."""
    if entry.backbone is None:
        return
    downloads = read_downloads(store)
    if entry.backbone.name in downloads:
        installed(store, downloads[entry.backbone.name])
    else:
        find(store, entry.backbone.name, task=APPEARANCE)
