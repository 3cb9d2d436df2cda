from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pointaction.errors import DamagedWeights, InputError
from pointaction.models.files import load_network, save_network
from pointaction.models.limits import expect


@dataclass(frozen=True, kw_only=True)
class Sizes:
    inputs: int = 3
    layers: tuple[int, ...] = (2, 2)

    def __post_init__(self) -> None:
        expect(self, inputs=(1, 10), layers=(1, 5))


class Net(nn.Module):
    def __init__(self, config: Sizes) -> None:
        super().__init__()
        self.config = config
        widths = (config.inputs, *config.layers)
        self.all = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.norm = nn.BatchNorm1d(widths[-1])


class Other(Net):
    pass


def load(path: Path) -> Net:
    return load_network(path, Net, lambda **fields: Net(Sizes(**fields)))


def write(path: Path, config: str, network: str = "net") -> Path:
    save_file(Net(Sizes()).state_dict(), path, metadata={"network": network, "config": config})
    return path


def test_a_file_is_enough_to_open_it(tmp_path: Path) -> None:
    network = Net(Sizes(inputs=4, layers=(3, 5)))
    save_network(network, tmp_path / "whole.safetensors", half=False)
    whole = load(tmp_path / "whole.safetensors")
    assert whole.config == network.config
    assert not whole.training
    for name, value in network.state_dict().items():
        assert whole.state_dict()[name].equal(value)


def test_equal_networks_are_equal_bytes(tmp_path: Path) -> None:
    """Of safetensors alone they would be in one of two orders."""
    network = Net(Sizes())
    assert len({save_network(network, tmp_path / f"{number}") for number in range(12)}) == 1


def test_in_half_precision_a_file_has_half_the_weights_bytes(tmp_path: Path) -> None:
    network = Net(Sizes())
    save_network(network, tmp_path / "half.safetensors")
    held = load_file(tmp_path / "half.safetensors")
    assert held["all.0.weight"].dtype == torch.float16
    assert held["norm.num_batches_tracked"].dtype == torch.int64
    opened = load(tmp_path / "half.safetensors").state_dict()
    for name, value in network.state_dict().items():
        assert opened[name].equal(value.half().float() if value.is_floating_point() else value)


def test_what_holds_no_network_of_the_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(InputError, match="holds no network"):
        load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="holds no network"):
        load(path)
    save_network(Other(Sizes()), path)
    with pytest.raises(InputError, match="holds other, not net"):
        load(path)


@pytest.mark.parametrize(
    "config",
    ["", "[]", "{", '{"depth": 3}', '{"inputs": 11}', '{"inputs": "3"}', '{"layers": [2, 99]}'],
)
def test_a_configuration_that_there_is_not_is_refused(tmp_path: Path, config: str) -> None:
    with pytest.raises(InputError):
        load(write(tmp_path / "net.safetensors", config))


def test_weights_that_are_not_those_of_the_configuration_are_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "net.safetensors", '{"layers": [2, 3]}')
    with pytest.raises(DamagedWeights, match=r"another shape, as all\.1\.bias"):
        load(path)
