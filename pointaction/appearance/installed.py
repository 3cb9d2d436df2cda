"""Which network for patch features is installed. Needs no torch."""

from pathlib import Path

from pointaction.models.downloads import Download, Receipt, read_downloads, read_receipt

_BEST_FIRST = ("dinov2-base", "dinov2-small")


def best_installed(store: Path) -> tuple[Download, Receipt] | None:
    """The largest DINOv2 whose weights lie in the store."""
    downloads = read_downloads(store)
    for name in _BEST_FIRST:
        if name in downloads and (receipt := read_receipt(store, downloads[name])):
            return downloads[name], receipt
    return None
