"""Save and resume a run; export its weights to the model store."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim import Optimizer

from pointaction.errors import InputError
from pointaction.training.recipes import Recipe


def save_checkpoint(
    path: Path, model: nn.Module, optimiser: Optimizer, recipe: Recipe, seed: int, *, step: int
) -> None:
    """Write the whole state of a run, replacing the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "recipe": asdict(recipe),
        "seed": seed,
        "step": step,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "chance": torch.get_rng_state(),
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def load_checkpoint(
    path: Path, model: nn.Module, optimiser: Optimizer, recipe: Recipe, seed: int
) -> int:
    """Restore a run and return the step it is at; 0 when there is none."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if (state["recipe"], state["seed"]) != (asdict(recipe), seed):
        raise InputError(
            f"{path} is of another run ({state['recipe']}, seed {state['seed']}); "
            "choose another --out or remove it"
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["chance"])
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


def export_weights(model: nn.Module, path: Path) -> str:
    """Write the weights in half precision as safetensors; returns the file's SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(half, path)
    path.chmod(0o644)  # safetensors makes it private; weights are to be shared
    return hashlib.sha256(path.read_bytes()).hexdigest()
