"""Networks as files: weights that say what they are the weights of.

A safetensors file has the weights; its metadata have the name of the network and, as JSON, its
configuration, so that a file is enough to open one. Both are checked before anything is built.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pointaction.errors import DamagedWeights, InputError
from pointaction.models.digests import digest
from pointaction.whole import written_whole


class Configured(Protocol):
    """A network with the dataclass that it was built from."""

    @property
    def config(self) -> Any: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...

    def eval(self) -> Any: ...


Network = TypeVar("Network", bound=Configured)


def name_of(kind: type[Any]) -> str:
    """What a file calls networks of this class."""
    return kind.__name__.lower()


def save_network(network: Configured, path: Path, *, half: bool = True) -> str:
    """Write weights, in half precision or as they are; returns the file's SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: (value.half() if half and value.is_floating_point() else value).contiguous()
        for name, value in network.state_dict().items()
    }
    about = {"network": name_of(type(network)), "config": json.dumps(asdict(network.config))}
    with written_whole(path) as part:
        save_file(state, part, metadata=about)
        _put_in_order(part)
        part.chmod(0o644)  # safetensors makes it private; weights are to be shared
    return digest(path)


def _put_in_order(path: Path) -> None:
    """safetensors writes metadata in any order; equal networks are to be equal bytes."""
    with path.open("r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        file.seek(8)
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        file.write(text.ljust(length))  # as safetensors fills it up, too


def network_in(path: Path) -> str:
    """What the file says that it holds, by `name_of`; InputError where it holds no network."""
    return _read(path)[0].get("network", "weights that do not say of what")


def load_network(path: Path, kind: type[Network], build: Callable[..., Network]) -> Network:
    """The network of a file, in float32, ready to answer.

    `build` makes one of the class `kind` from the fields of its configuration. Raises InputError
    where the file holds no network of this kind or a configuration that there is not, and
    DamagedWeights where its weights are not those of the configuration.
    """
    about, state = _read(path)
    held = network_in(path)
    if held != name_of(kind):
        raise InputError(f"{path} holds {held}, not {name_of(kind)}")
    fields = _fields(path, about.get("config", ""))
    _check_fit(path, lambda: _built(path, build, fields), state)
    network = _built(path, build, fields)
    network.load_state_dict(
        {
            name: value.float() if value.is_floating_point() else value
            for name, value in state.items()
        }
    )
    network.eval()
    return network


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, weights
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} holds no network: {error}") from error


def _fields(path: Path, text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise InputError(f"{path} does not say how its network is built")
    return {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}


def _built(path: Path, build: Callable[..., Network], fields: dict[str, Any]) -> Network:
    try:
        return build(**fields)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} was written by another release: {error}") from error


def _check_fit(path: Path, build: Callable[[], Configured], state: dict[str, Tensor]) -> None:
    """Before memory is taken for a network that the file may only claim to hold."""
    with torch.device("meta"):
        wanted = build().state_dict()
    names = [
        name
        for name in sorted(wanted.keys() | state.keys())
        if name not in wanted or name not in state or wanted[name].shape != state[name].shape
    ]
    if names:
        raise DamagedWeights(
            f"{path} does not hold what it says: {len(names)} weights are missing, unexpected or "
            f"of another shape, as {names[0]}"
        )
