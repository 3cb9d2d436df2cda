"""Stores with one small model whose weights were never trained, and with weights of others."""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from pointaction.models.calibration import Calibration
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.digests import digest
from pointaction.models.dinov2 import DINOv2, DINOv2Config, begin
from pointaction.models.downloads import Receipt, find_download
from pointaction.models.emim import EMIM
from pointaction.models.files import name_of, save_network
from pointaction.models.fusion import LateFusion
from pointaction.models.probe import AttentiveProbe, ProbeConfig
from pointaction.models.pull import pull
from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig, traction_tiny
from pointaction.models.trajectorynet import TrajectoryNet
from pointaction.training.checkpoints import export_weights

LABELS = ("up", "down", "still")


def table(
    name: str,
    sha256: str,
    *,
    builder: str,
    inputs: str,
    task: str = "classification",
    file: str | None = None,
    more: str = "",
) -> str:
    """That of a model, which has the labels of `labels.txt` if it classifies; `inputs` and `more`
    are TOML.
    """
    labels = 'labels = "labels.txt"' if task == "classification" else ""
    return f"""
[models.{name}]
version = "1"
task = "{task}"
builder = "{builder}"
file = "{file or f"{name}.safetensors"}"
sha256 = "{sha256}"
licence = "Apache-2.0"
commercial_use = true
source = "a test"
parameters = 1
{labels}
inputs = {{ {inputs} }}
card = "{name}.md"
{more}
"""


def small_store(store: Path, calibration: Calibration | None = None) -> Path:
    """The folder `store` with the model `small`, calibrated or not."""
    torch.manual_seed(0)
    weights = export_weights(traction_tiny(len(LABELS)), store / "small.safetensors")
    more = ""
    if calibration:
        calibration.save(store / "calibration.json")
        more = 'calibration = "calibration.json"'
    inputs = "tracks = 512, frames = 32"
    return _write(store, table("small", weights, builder="traction_tiny", inputs=inputs, more=more))


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


def fused_store(store: Path) -> Path:
    """The folder `store` with the model `both`, which looks at pixels beside following points."""
    probe = _probe(store)
    motion = TrAction(TrackEncoder(_SMALL_MOTION), classes=len(LABELS))
    return _with_looks(store, "both", LateFusion(motion, probe), "tracks = 512, pixels = 112")


def probe_store(store: Path) -> Path:
    """The folder `store` with the model `seen`, which looks at pixels alone."""
    return _with_looks(store, "seen", _probe(store), "pixels = 112")


def video_store(store: Path, network: TrajectoryNet | EMIM) -> Path:
    """The folder `store` with the model `watcher`, which is the network."""
    sha256 = save_network(network, store / "watcher.safetensors")
    inputs = "pixels = 64, frames = 12"
    return _write(store, table("watcher", sha256, builder=name_of(type(network)), inputs=inputs))


_SMALL_MOTION = TrActionConfig(frames=4, width=12, layers=1, heads=2, bands=2)
_SMALL_LOOKS = DINOv2Config(width=24, layers=1, heads=2)


def _probe(store: Path) -> AttentiveProbe:
    torch.manual_seed(0)
    network = DINOv2(_SMALL_LOOKS)
    begin(network, torch.Generator().manual_seed(0))
    save_network(network, store / "looks.safetensors")
    config = ProbeConfig(width=24, classes=len(LABELS), heads=2, told_time=True)
    return AttentiveProbe(config)


def _with_looks(store: Path, name: str, network: AttentiveProbe | LateFusion, inputs: str) -> Path:
    looks = digest(store / "looks.safetensors")
    backbone = table("looks", looks, builder="dinov2", inputs="pixels = 112", task="appearance")
    fused = table(
        name,
        save_network(network, store / f"{name}.safetensors"),
        builder=name_of(type(network)),
        inputs=inputs,
        more=f'backbone = {{ name = "looks", sha256 = "{looks}", frames = 3 }}',
    )
    return _write(store, backbone + fused)


def _write(store: Path, tables: str) -> Path:
    (store / "catalog.toml").write_text(tables)
    (store / "labels.txt").write_text("\n".join(LABELS) + "\n")
    return store
