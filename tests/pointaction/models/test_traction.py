from typing import cast

import pytest
import torch
from torch import Generator, Tensor

from pointaction.models.traction import Block, FrequencyBands, TrAction, traction, traction_tiny


def parameters(model: TrAction) -> int:
    return sum(part.numel() for part in model.parameters())


@pytest.fixture(scope="module")
def model() -> TrAction:
    torch.manual_seed(0)
    return traction_tiny(5).eval()


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(0)
    return torch.rand(2, 7, 32, 3, generator=generator), torch.ones(2, 7, 32).bool()


def test_sizes_are_those_of_the_paper() -> None:
    assert 6_500_000 < parameters(traction(174)) < 8_000_000
    assert 1_800_000 < parameters(traction_tiny(33)) < 2_200_000


def test_bands_are_sines_and_cosines_from_half_a_period() -> None:
    bands = FrequencyBands(2, octaves=1)(torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(bands[0], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    torch.testing.assert_close(bands[1], torch.tensor([1.0, 0.0, 0.0, -1.0]), rtol=0, atol=1e-6)


def test_the_order_of_tracks_does_not_matter(
    model: TrAction, inputs: tuple[Tensor, Tensor]
) -> None:
    geometry, visible = inputs
    shuffle = torch.tensor([3, 0, 6, 5, 1, 4, 2])
    logits, attention = model(geometry, visible)
    shuffled_logits, shuffled_attention = model(geometry[:, shuffle], visible[:, shuffle])
    torch.testing.assert_close(shuffled_logits, logits)
    torch.testing.assert_close(shuffled_attention, attention[..., shuffle])


def test_attention_is_a_share_per_head(model: TrAction, inputs: tuple[Tensor, Tensor]) -> None:
    _, attention = model(*inputs)
    assert attention.shape == (2, 4, 7)
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 4))


def test_attention_is_the_one_that_the_last_layer_uses(
    model: TrAction, inputs: tuple[Tensor, Tensor]
) -> None:
    """Recompute the last layer's softmax by hand, CLS and registers included."""
    seen: list[Tensor] = []
    last = cast(Block, model.encoder.blocks[-1])
    hook = last.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    _, attention = model(*inputs)
    hook.remove()
    q, k, _ = last.split_heads(seen[0])
    full = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)[:, :, 0, 5:]
    torch.testing.assert_close(attention, full / full.sum(-1, keepdim=True))


def test_absent_tracks_change_nothing(model: TrAction, inputs: tuple[Tensor, Tensor]) -> None:
    geometry, visible = inputs
    present = torch.ones(2, 7).bool()
    present[:, 4:] = False
    logits, attention = model(geometry, visible, present)
    alone, _ = model(geometry[:, :4], visible[:, :4])
    torch.testing.assert_close(logits, alone)
    assert (attention[..., 4:] == 0).all()


def test_visibility_is_read(model: TrAction, inputs: tuple[Tensor, Tensor]) -> None:
    geometry, visible = inputs
    assert not torch.allclose(model(geometry, visible)[0], model(geometry, ~visible)[0])
