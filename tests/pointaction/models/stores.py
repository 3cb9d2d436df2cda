"""A store with one small model whose weights were never trained."""

from pathlib import Path

import torch

from pointaction.models.calibration import Calibration
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
