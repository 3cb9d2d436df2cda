from dataclasses import replace

import pytest
import torch
from torch import Generator

from pointaction.errors import InputError
from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig
from pointaction.training.grow import grow

SMALL = TrActionConfig(
    frames=6, positions=False, motion=True, place=False, width=24, layers=2, heads=2, dropout=0.0
)
LARGE = replace(SMALL, positions=True, bands=3, width=60, layers=5)


def model(config: TrActionConfig, *, seed: int, classes: int = 4) -> TrAction:
    torch.manual_seed(seed)
    made = TrAction(TrackEncoder(config), classes=classes).eval()
    with torch.no_grad():
        for norm in (part for part in made.modules() if isinstance(part, torch.nn.LayerNorm)):
            norm.weight.normal_(1, 0.3)
            norm.bias.normal_(0, 0.3)
        made.encoder.first.normal_(0, 0.5)
    return made


def clips() -> tuple[torch.Tensor, torch.Tensor]:
    generator = Generator().manual_seed(0)
    way = torch.randn(3, 9, 6, 3, generator=generator).cumsum(2) * 0.05
    return way, torch.rand(3, 9, 6, generator=generator) < 0.9


def test_a_grown_model_answers_and_attends_as_before() -> None:
    small, large = model(SMALL, seed=1), model(LARGE, seed=2)
    grow(small, large)
    with torch.no_grad():
        before, after = small(*clips()), large(*clips())
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)


def test_a_place_code_keeps_most_of_its_channels_meaning() -> None:
    """Features of the small model are found again in the grown one, though not to the digit."""
    small = model(replace(SMALL, place=True), seed=1)
    large = model(replace(LARGE, place=True), seed=2)
    grow(small, large)
    with torch.no_grad():
        before, after = small(*clips())[0], large(*clips())[0]
    assert torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1] > 0.8


def test_all_that_is_new_learns_within_two_steps() -> None:
    small, large = model(SMALL, seed=1), model(LARGE, seed=2).train()
    grow(small, large)
    optimiser = torch.optim.SGD(large.parameters(), lr=0.05)
    for _ in range(3):
        optimiser.zero_grad()
        large(*clips())[0].square().sum().backward()
        optimiser.step()
    still = [name for name, part in large.named_parameters() if not part.grad.any()]  # type: ignore[union-attr]
    assert still == []


@pytest.mark.parametrize("change", [{"heads": 3}, {"frames": 8}, {"width": 12}, {"layers": 1}])
def test_a_model_that_cannot_hold_the_other_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError, match="cannot grow"):
        grow(model(SMALL, seed=1), model(replace(LARGE, **change), seed=2))  # type: ignore[arg-type]
