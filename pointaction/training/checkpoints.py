"""Save and resume a run; export its weights to the model store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from pointaction.errors import InputError
from pointaction.models.digests import digest
from pointaction.whole import written_whole


def save_checkpoint(
    path: Path, model: nn.Module, optimiser: Optimizer, identity: dict[str, Any], *, step: int
) -> None:
    """Write the whole state of a run, replacing the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "identity": identity,
        "step": step,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    with written_whole(path) as part:
        torch.save(state, part)


def load_checkpoint(
    path: Path, model: nn.Module, optimiser: Optimizer, identity: dict[str, Any]
) -> int:
    """Restore a run and return the step it is at; 0 when there is none.

    Raises InputError for the checkpoint of a run with another identity, naming what differs.
    """
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    before = state.get("identity", {})
    differing = [
        f"{name} was {before.get(name)} and is {identity.get(name)}"
        for name in sorted(before.keys() | identity.keys())
        if before.get(name) != identity.get(name)
    ]
    if differing:
        raise InputError(
            f"{path} is of another run: {', '.join(differing)}. Give what it was begun with, "
            "choose another --out, or remove it to begin again"
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def load_encoder(encoder: nn.Module, path: Path) -> None:
    """Take over the encoder out of exported weights, of a pretraining or of a whole model.

    What else is in the file (a decoder, a head) is left; the encoder must be there to the last
    parameter.
    """
    state = {
        name.removeprefix("encoder."): tensor.float()
        for name, tensor in load_file(path).items()
        if name.startswith("encoder.")
    }
    try:
        encoder.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} holds another encoder than this recipe's: {error}") from error


def load_head(head: nn.Linear, path: Path) -> None:
    """Take over the head out of exported weights that have one for as many labels."""
    weights = load_file(path)
    if {"head.weight", "head.bias"} <= weights.keys() and len(weights["head.bias"]) == len(
        head.bias
    ):
        state = {name: weights[f"head.{name}"].float() for name in ("weight", "bias")}
        head.load_state_dict(state)


def export_weights(model: nn.Module, path: Path) -> str:
    """Write the weights in half precision as safetensors; returns the file's SHA-256."""
    return write_weights(model.state_dict(), path)


def write_weights(state: Mapping[str, Tensor], path: Path) -> str:
    """As `export_weights`, of what a model's state would be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, path)
    path.chmod(0o644)  # safetensors makes it private; weights are to be shared
    return digest(path)
