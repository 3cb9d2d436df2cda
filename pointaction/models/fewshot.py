"""The networks of few-shot learning as files: weights that say what they are the weights of.

A safetensors file has the weights; its metadata have the name of the network and, as JSON, its
configuration, so that a file is enough to open one.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from pointaction.errors import InputError
from pointaction.models.digests import digest
from pointaction.models.strm import STRM, STRMConfig
from pointaction.models.trokens import Trokens, TrokensConfig
from pointaction.models.trx import TRX, TRXConfig

Network = Trokens | STRM | TRX
Kind = TypeVar("Kind", bound=nn.Module)

NETWORKS: dict[str, Callable[[dict[str, Any]], Network]] = {
    "trokens": lambda config: Trokens(TrokensConfig(**config)),
    "strm": lambda config: STRM(STRMConfig(**config)),
    "trx": lambda config: TRX(TRXConfig(**config)),
}


def kind(network: Network) -> str:
    """Its name in NETWORKS."""
    return type(network).__name__.lower()


def save_network(network: Network, path: Path, *, half: bool = True) -> str:
    """Write weights, in half precision or as they are; returns the file's SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype = torch.half if half else torch.float
    state = {name: value.to(dtype).contiguous() for name, value in network.state_dict().items()}
    about = {
        "network": type(network).__name__.lower(),
        "config": json.dumps(asdict(network.config)),
    }
    part = path.with_suffix(".part")
    save_file(state, part, metadata=about)
    part.chmod(0o644)  # safetensors makes it private; weights are to be shared
    part.replace(path)
    return digest(path)


def load_network(path: Path) -> Network:
    """The network of a file, in float32, ready to answer; InputError where it holds none."""
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} holds no network of few-shot learning: {error}") from error
    if about.get("network") not in NETWORKS:
        raise InputError(f"{path} does not say that it holds one of: {', '.join(NETWORKS)}")
    config = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(about["config"]).items()
    }
    network = NETWORKS[about["network"]](config)
    network.load_state_dict(state, strict=True)
    return network.eval()


def load_trokens(path: Path) -> Trokens:
    return _of_kind(Trokens, path)


def load_strm(path: Path) -> STRM:
    return _of_kind(STRM, path)


def load_trx(path: Path) -> TRX:
    return _of_kind(TRX, path)


def _of_kind(kind: type[Kind], path: Path) -> Kind:
    network = load_network(path)
    if not isinstance(network, kind):
        raise InputError(f"{path} holds {type(network).__name__}, not {kind.__name__}")
    return network
