"""One small model with weights of chance, and the entry that it could have."""

import torch

from pointaction.models.catalog import Entry
from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig

ENTRY = Entry(
    name="small",
    version="1",
    task="classification",
    builder="traction_tiny",
    file="small.safetensors",
    sha256="a" * 64,
    licence="Apache-2.0",
    commercial_use=True,
    source="a test",
    parameters=1,
    labels=("up", "dówn", "still"),
    inputs={"tracks": 512, "frames": 8},
    card="small.md",
)


def small_model() -> TrAction:
    torch.manual_seed(0)
    config = TrActionConfig(frames=8, width=24, layers=2, heads=2, bands=2, motion=True)
    model = TrAction(TrackEncoder(config), classes=3).eval()
    torch.nn.init.normal_(model.encoder.middle)
    return model
