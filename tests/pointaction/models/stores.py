"""Stores with one small model whose weights were never trained, and with weights of others."""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from pointaction.models.calibration import Calibration
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.downloads import Receipt, find_download
from pointaction.models.pull import pull
from pointaction.models.traction import traction_tiny
from pointaction.training.checkpoints import export_weights

LABELS = ("up", "down", "still")
_TABLE = """
[models.small]
version = "1"
task = "classification"
builder = "traction_tiny"
file = "small.safetensors"
sha256 = "{digest}"
licence = "Apache-2.0"
commercial_use = true
source = "a test"
parameters = 1
labels = "labels.txt"
inputs = {{ tracks = 512, frames = 32 }}
card = "small.md"
"""


def small_store(store: Path, calibration: Calibration | None = None) -> Path:
    """The folder `store` with the model `small`, calibrated or not."""
    torch.manual_seed(0)
    weights = export_weights(traction_tiny(len(LABELS)), store / "small.safetensors")
    table = _TABLE.format(digest=weights)
    if calibration:
        calibration.save(store / "calibration.json")
        table += 'calibration = "calibration.json"\n'
    (store / "catalog.toml").write_text(table)
    (store / "labels.txt").write_text("\n".join(LABELS) + "\n")
    return store


def know_downloads(store: Path) -> None:
    """Let the store know of everything that the shipped one could fetch."""
    shipped = (DEFAULT_STORE / "catalog.toml").read_text(encoding="utf-8")
    with (store / "catalog.toml").open("a", encoding="utf-8") as catalog:
        catalog.write("\n" + shipped[shipped.index("[downloads.") :])


def pretend(store: Path, name: str, sha256: str = "7" * 64) -> None:
    """A receipt for weights that are not there; nothing can be opened with it."""
    download = find_download(store, name)
    (store / name).mkdir(exist_ok=True)
    receipt = Receipt(
        source="a test",
        source_sha256=sha256,
        sha256=sha256,
        licence=download.licence,
        pulled="2026-01-01",
    )
    receipt.save(store / download.receipt)


def install(store: Path, name: str, weights: dict[str, torch.Tensor]) -> None:
    """Pull these weights as those of the download."""
    file = store / "official.safetensors"
    # A network that has answered may lie in memory otherwise.
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, file)
    download = replace(find_download(store, name), sha256=None)  # not the official ones
    pull(store, download, file=file, accept_licence=True)
    file.unlink()
