"""Which networks that look at pixels are installed. Needs no torch."""

from contextlib import suppress
from pathlib import Path

from pointaction.errors import UnknownModel
from pointaction.models.catalog import APPEARANCE, Entry, find, read_catalog
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


def find_backbone(store: Path, name: str) -> Entry | Download:
    """What the catalogue says of something to look through: a backbone, or a network of motion in
    pixels. Raises UnknownModel, which names those there are.
    """
    downloads = {
        name: download
        for name, download in read_downloads(store).items()
        if download.task == APPEARANCE
    }
    if name in downloads:
        return downloads[name]
    with suppress(UnknownModel):
        entry = find(store, name, task=None)
        if entry.seen_through:
            return entry
    own = [name for name, entry in read_catalog(store).items() if entry.seen_through]
    raise UnknownModel(
        f"no backbone {name!r}; there is {', '.join([*own, *downloads])}", value=name
    )


def expect_backbone(store: Path, entry: Entry) -> None:
    """NotInstalled, with the command that mends it, where a model lacks what it looks through."""
    if entry.backbone is None:
        return
    backbone = find_backbone(store, entry.backbone.name)
    if isinstance(backbone, Download):
        installed(store, backbone)
