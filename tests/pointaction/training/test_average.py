from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pointaction.errors import InputError
from pointaction.training.average import average


def weights(path: Path, **values: Tensor) -> Path:
    save_file(values, path)
    return path


def test_a_quarter_of_the_way(tmp_path: Path) -> None:
    before = weights(tmp_path / "before", scale=torch.tensor([0.0, 8.0]).half())
    after = weights(tmp_path / "after", scale=torch.tensor([4.0, 4.0]).half())
    assert average(before, after, share=0.25)["scale"].tolist() == [1, 7]
    assert average(before, after, share=0)["scale"].tolist() == [0, 8]
    assert average(before, after, share=1)["scale"].tolist() == [4, 4]


def test_what_is_counted_stays(tmp_path: Path) -> None:
    before = weights(tmp_path / "before", steps=torch.tensor([3]))
    after = weights(tmp_path / "after", steps=torch.tensor([4]))
    assert average(before, after, share=0.5)["steps"].tolist() == [3]


@pytest.mark.parametrize("other", [{"scale": torch.zeros(3)}, {"shift": torch.zeros(2)}])
def test_of_different_networks_there_is_no_mean(tmp_path: Path, other: dict[str, Tensor]) -> None:
    before = weights(tmp_path / "before", scale=torch.zeros(2))
    after = weights(tmp_path / "after", **other)
    with pytest.raises(InputError, match="different networks: '(scale|shift)'"):
        average(before, after, share=0.5)
