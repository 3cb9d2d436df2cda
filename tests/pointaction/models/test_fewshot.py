from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pointaction.errors import InputError
from pointaction.models.fewshot import Network, load_network, load_strm, load_trokens, load_trx
from pointaction.models.files import save_network
from pointaction.models.strm import STRM, STRMConfig
from pointaction.models.trokens import Trokens, TrokensConfig
from pointaction.models.trx import TRX, TRXConfig

STRM_TINY = STRMConfig(frames=5, width=12, projection=16, inputs=3, bottleneck=6)


def networks() -> list[Network]:
    return [
        Trokens(TrokensConfig(points=6, appearance=None, width=16, heads=2, classes=3, grid=4)),
        STRM(STRM_TINY),
        TRX(TRXConfig(frames=5, width=12, projection=16, cardinalities=(2, 3))),
    ]


@pytest.mark.parametrize("network", networks(), ids=lambda each: type(each).__name__)
def test_a_file_is_enough_to_open_it(network: Network, tmp_path: Path) -> None:
    """In full precision the weights are the same bits, in half they are the nearest halves."""
    save_network(network, tmp_path / "whole.safetensors", half=False)
    whole = load_network(tmp_path / "whole.safetensors")
    assert type(whole) is type(network)
    assert whole.config == network.config
    assert not whole.training
    save_network(network, tmp_path / "half.safetensors")
    half = load_network(tmp_path / "half.safetensors").state_dict()
    for name, value in network.state_dict().items():
        assert whole.state_dict()[name].equal(value)
        assert half[name].equal(value.half().float())


def test_what_is_loaded_answers_as_what_was_saved(tmp_path: Path) -> None:
    network = STRM(STRM_TINY).eval()
    save_network(network, tmp_path / "strm.safetensors", half=False)
    chance = torch.Generator().manual_seed(0)
    clips = torch.randn(3, 5, 16, 3, generator=chance)
    asked = clips[:2], torch.tensor([0, 1]), clips[2:]
    assert (
        load_strm(tmp_path / "strm.safetensors")(*asked)
        .together()
        .equal(network(*asked).together())
    )


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    trokens, _, trx = networks()
    save_network(trx, tmp_path / "trx.safetensors")
    assert isinstance(load_trx(tmp_path / "trx.safetensors"), TRX)
    with pytest.raises(InputError, match="holds trx, not strm"):
        load_strm(tmp_path / "trx.safetensors")
    save_network(trokens, tmp_path / "trokens.safetensors")
    assert load_trokens(tmp_path / "trokens.safetensors").config == trokens.config


def test_a_file_that_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(InputError, match="holds no network"):
        load_network(path)
    path.write_bytes(b"none")
    with pytest.raises(InputError, match="holds no network"):
        load_network(path)
    save_file(nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(InputError, match="trokens, strm, trx"):
        load_network(path)
