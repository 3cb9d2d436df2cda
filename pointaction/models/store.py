"""Open a model of the catalogue, or a head of episodes: checksum first, then strictly.

The registry is a dict. Adding a model is a builder, a line here and a table in `catalog.toml`;
heads are the networks of `pointaction.models.fewshot`.
"""

from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file

from pointaction.errors import DamagedWeights
from pointaction.models.catalog import Entry, verify
from pointaction.models.fewshot import Network, kind, load_network
from pointaction.models.traction import TrAction, traction, traction_tiny

BUILDERS: dict[str, Callable[[int], TrAction]] = {
    "traction": traction,
    "traction_tiny": traction_tiny,
}


def load_model(store: Path, entry: Entry) -> TrAction:
    """The entry's model with its weights, in float32, ready to answer."""
    path = verify(store, entry)
    model = BUILDERS[entry.builder](len(entry.labels))
    state = {name: tensor.float() for name, tensor in load_file(path).items()}
    model.load_state_dict(state, strict=True)
    return model.eval()


def load_head(store: Path, entry: Entry) -> Network:
    """The entry's trained head, in float32, ready to answer."""
    path = verify(store, entry)
    network = load_network(path)
    if kind(network) != entry.builder:
        raise DamagedWeights(
            f"{path} holds {kind(network)}, but the catalogue says {entry.builder}; fetch the "
            "model store again"
        )
    return network
